"""The scripts for the vendor's tools, run for real by stand-ins, and what a build does with and without the tools."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("tkinter", reason="the stand-ins for the vendor's tools need Tcl: apt-get install python3-tk")

from flows import build
from flows.building.hashes import read_hashes
from flows.command_line import Status
from flows.reporting.schema import check_report
from hls_projects.board import HLS_STEPS, ToolError, run_tool, write_scripts
from hls_projects.board.tools import Tool
from hls_projects.targets import load_target, target_names
from tests.support import vendor_standin
from tests.support.axi_simulation import AXI_REFERENCE

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """A build from the step synth on, with the stand-ins ``tools`` on the path: status, output and errors."""

    def run(*argv: str, tools: tuple[str, ...] = (), fails: str = "") -> tuple[int, str, str]:
        vendor_standin.install(tmp_path / "bin", *tools)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("STANDIN_FAILS", fails)
        capsys.readouterr()
        status = build.main(["--from", "synth", *argv, "--out", str(copied)])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def commands(out: Path) -> list[list[list[str]]]:
    """Of each tool that ran, in order."""
    return [json.loads(line) for line in (out / "vendor" / "commands.json").read_text().splitlines()]


def manifest(out: Path) -> dict:
    return json.loads((out / "deploy" / "manifest.json").read_text())


# With the tools


@pytest.mark.parametrize("tool", ["vitis_hls", "vitis-run"])
def test_synth(copied: Path, run: Run, report: Callable[[Path], dict], tool: str):
    status, told, _ = run("--synth", tools=(tool,))
    assert status == 0, told
    assert f"  {tool}, hls.tcl\n" in told and "  INFO: [SIM 211-1] CSim done with 0 errors.\n" in told
    (calls,) = commands(copied)
    files = [Path(call[2] if call[1] == "-tb" else call[1]) for call in calls if call[0] == "add_files"]
    names = {str(path.relative_to(path.parents[1 if path.parent.name == "firmware" else 0])) for path in files}
    assert set(AXI_REFERENCE.sources) | {"firmware/weights", "tb_data"} == names
    assert [call[0] for call in calls if call[0].endswith("_design")] == [
        "csim_design",
        "csynth_design",
        "export_design",
    ]
    assert ["set_part", "xc7z020clg400-1"] in calls and ["set_top", "vit_axi"] in calls
    assert ["create_clock", "-period", "10.000", "-name", "default"] in calls
    facts = report(copied)
    check_report(facts)
    assert facts["synthesis"]["c_synthesis"]["top"] == "vit_axi" and facts["synthesis"]["utilization"] is None
    assert facts["synthesis"]["c_synthesis"]["tool"] == "Vitis HLS 2023.2"
    assert "vendor reports/csynth.xml" in facts["provenance"]["files"]
    assert (copied / "vendor" / "logs" / f"{tool}.log").read_text().startswith("INFO: a stand-in runs hls.tcl")
    assert manifest(copied)["bitstream"] is None


def test_chosen_steps(copied: Path, run: Run):
    assert run("--synth", "csynth,cosim", "--until", "deploy", tools=("vitis_hls",))[0] == 0
    (calls,) = commands(copied)
    assert [call for call in calls if call[0].endswith("_design")] == [
        ["csynth_design"],
        ["cosim_design", "-argv", "1"],
    ]


def test_bitstream(copied: Path, run: Run, report: Callable[[Path], dict]):
    status, told, _ = run("--bitstream", tools=("vitis_hls", "vivado"))
    assert status == 0, told
    _, calls = commands(copied)
    assert ["set_property", "board_part", "tul.com.tw:pynq-z2:part0:1.0", "project"] in calls
    assert any("CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ 100" in text for call in calls for text in call)
    facts = report(copied)["synthesis"]
    assert facts["c_synthesis"] and facts["utilization"]["state"] == "Routed" and facts["timing"]["wns_ns"] == -0.412
    assert facts["utilization"]["modules"]
    found = manifest(copied)
    assert (
        found["bitstream"] == {"bit": "vit.bit", "hwh": "vit.hwh"} and {"vit.bit", "vit.hwh"} <= found["files"].keys()
    )
    assert (copied / "deploy" / "vit.bit").read_text() == "vit_board_wrapper.bit of a stand-in"
    assert (copied / "deploy" / "vit.hwh").read_text() == "vit_board.hwh of a stand-in"


def test_what_the_tools_made_is_not_hashed_but_in_the_manifest(copied: Path, run: Run):
    """The same scripts give other projects, logs and bitstreams each time."""
    assert run("--bitstream", "--until", "deploy", tools=("vitis_hls", "vivado"))[0] == 0
    files = read_hashes(copied)
    assert {name for name in files if name.startswith("vendor/")} == {
        "vendor/hls.tcl", "vendor/vivado.tcl", "vendor/commands.json",
    }  # fmt: skip
    assert "deploy/vit.bit" not in files and "deploy/accelerator.py" in files


def test_what_the_tools_made_is_kept_until_the_project_is_another(
    copied: Path, run: Run, report: Callable[[Path], dict]
):
    assert run("--bitstream", tools=("vitis_hls", "vivado"))[0] == 0
    assert build.main(["--from", "compare", "--out", str(copied)]) == 0
    assert report(copied)["synthesis"]["timing"] and manifest(copied)["bitstream"]
    assert build.main(["--from", "convert", "--until", "convert", "--out", str(copied)]) == 0
    assert not (copied / "vendor" / "vit.bit").exists()
    assert "synthesised" not in json.loads((copied / "build.json").read_text())


# Without


def test_no_tools(copied: Path, run: Run, report: Callable[[Path], dict]):
    status, told, errors = run("--bitstream")
    assert status == 0 and not errors
    said = "  neither vitis_hls nor vitis-run is on the PATH; vendor/hls.tcl is ready to be run where it is\n"
    assert said in told and "vivado" not in told
    assert (copied / "vendor" / "hls.tcl").is_file() and (copied / "vendor" / "vivado.tcl").is_file()
    assert report(copied)["synthesis"] is None and manifest(copied)["bitstream"] is None


def test_no_vivado(copied: Path, run: Run, report: Callable[[Path], dict]):
    status, told, _ = run("--bitstream", tools=("vitis_hls",))
    assert status == 0 and "  vivado is not on the PATH; vendor/vivado.tcl is ready" in told
    assert report(copied)["synthesis"]["c_synthesis"] and manifest(copied)["bitstream"] is None


def test_not_asked(copied: Path, run: Run):
    status, told, _ = run("--until", "deploy", tools=("vitis_hls", "vivado"))
    assert status == 0 and "hls.tcl" not in told and not (copied / "vendor" / "commands.json").exists()


# Failures: the build is there, and its status says that they were


@pytest.mark.parametrize(
    ("fails", "said", "log"),
    [
        ("csynth", "vitis_hls ended with 1; see vendor/logs/vitis_hls.log", "synthesis is made to fail"),
        ("impl", "vivado ended with 1; see vendor/logs/vivado.log", "implementation ended as place_design ERROR"),
        ("board", "vivado ended with 1; see vendor/logs/vivado.log", "Vivado has no files of the board tul.com.tw"),
        ("part", "the tools' reports cannot be read: ", ""),
    ],
)
def test_a_tool_that_fails(copied: Path, run: Run, report: Callable[[Path], dict], fails: str, said: str, log: str):
    status, _, errors = run("--bitstream", tools=("vitis_hls", "vivado"), fails=fails)
    assert status == Status.TOOL_FAILED == 3
    assert errors.splitlines()[-1].startswith(f"build: {said}")
    assert any(log in path.read_text() for path in (copied / "vendor" / "logs").iterdir())
    check_report(report(copied))
    assert (report(copied)["synthesis"] is None) == (fails in ("csynth", "part"))
    assert (manifest(copied)["bitstream"] is None) == (fails != "part")


def test_a_core_that_was_not_exported(copied: Path, run: Run):
    status, _, _ = run("--bitstream", "--synth", "csim,csynth", "--until", "synth", tools=("vitis_hls", "vivado"))
    assert status == 3
    assert "holds no component.xml; run hls.tcl" in (copied / "vendor" / "logs" / "vivado.log").read_text()


def test_an_interrupt_ends_the_tool_and_what_it_started(tmp_path: Path):
    script = "import subprocess, sys; print('up', flush=True); subprocess.run(['sleep', '77'])"

    def interrupt(line: str) -> None:
        assert line == "up"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_tool(Tool("slow", (sys.executable, "-c", script)), tmp_path, interrupt)
    time.sleep(0.1)
    living = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            living += [process] * (
                (process / "cwd").readlink() == tmp_path and "Z" not in (process / "stat").read_text()
            )
        except OSError:
            continue
    assert not living


def test_a_tool_that_says_what_is_no_text(tmp_path: Path):
    script = r"import sys; sys.stdout.buffer.write(b'\xff\n'); sys.exit(4)"
    told: list[str] = []
    with pytest.raises(ToolError, match=r"odd ended with 4; see .*/logs/odd\.log"):
        run_tool(Tool("odd", (sys.executable, "-c", script)), tmp_path, told.append)
    assert told == ["\ufffd"]


def test_wrong_options(refused: Callable[..., str], given: list[str]):
    assert "'place' is none of csim, csynth, cosim, export" in refused(*given, "--synth", "csynth,place")
    said = refused(*given, "--target", "kv260", "--bitstream")
    assert "--bitstream is for a Zynq-7000; kv260 has xck26-sfvc784-2LV-c" in said
    assert "--synth is read by the step synth" in refused("--from", "report", "--synth")


def test_a_bitstream_of_another_device_is_refused_later_too(copied: Path, run: Run):
    text = (copied / "target.toml").read_text()
    (copied / "target.toml").write_text(text.replace("xc7z020clg400-1", "xc7a100tcsg324-1"))
    status, _, errors = run("--bitstream", tools=("vitis_hls", "vivado"))
    assert status == 2 and errors == "build: --bitstream is for a Zynq-7000; pynq-z2 has xc7a100tcsg324-1\n"


# The scripts themselves


@pytest.mark.parametrize("name", target_names())
def test_scripts_of_every_target(tmp_path: Path, name: str):
    target = load_target(name)
    written = write_scripts(target, tmp_path / "one")
    assert written == ["hls.tcl", *(["vivado.tcl"] if target.part.startswith("xc7z") else [])]
    text = (tmp_path / "one" / "hls.tcl").read_text()
    assert f"set_part {target.part}\n" in text and f"-period {1000 / target.clock_mhz:.3f} " in text
    write_scripts(target, tmp_path / "other")
    for script in written:
        text = (tmp_path / "one" / script).read_text()
        assert text == (tmp_path / "other" / script).read_text() and text.endswith("exit\n")
        assert not re.search(r"(^|[ \"{])/", text.replace("://", "")), "an absolute path"
        assert max(map(len, text.splitlines())) <= 180 and "{{" not in text and "{%" not in text


def test_unknown_step_is_refused(copied: Path, tmp_path: Path):
    vendor_standin.install(tmp_path / "bin", "vitis_hls")
    command = [str(tmp_path / "bin" / "vitis_hls"), "-f", "hls.tcl"]
    env = os.environ | {"HLS_STEPS": "csim sim"}
    said = subprocess.run(command, cwd=copied / "vendor", env=env, capture_output=True, text=True, check=False)
    assert said.returncode == 1 and f"HLS_STEPS: sim is none of {', '.join(HLS_STEPS)}" in said.stdout
