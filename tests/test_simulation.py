"""The C-simulation reports what goes wrong; a script stands in for the compiled test bench."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from models import noise

from hls_projects import simulation
from hls_projects.simulation import SimulationError, compile_testbench, compiler, simulate, write_vectors


def make_testbench(tmp_path: Path, script: str) -> Path:
    project = tmp_path / "hls"
    (project / "firmware").mkdir(parents=True)
    binary = simulation.binary(project)
    binary.write_text(f"#!/bin/sh\n{script}\n")
    binary.chmod(0o755)
    return binary


def expected(count: int) -> np.ndarray:
    return np.arange(count * 10).reshape(count, 10) - 20


ECHO = "cp tb_data/tb_output_predictions.dat tb_data/csim_results.log"


@pytest.mark.parametrize("workers", [1, 2, 3, 7])
def test_results_come_back_in_order(tmp_path: Path, workers: int):
    seen: list[int] = []
    codes = simulate(
        make_testbench(tmp_path, ECHO), tmp_path / "work", noise(5), expected(5), seen.append, workers=workers
    )
    assert codes.dtype == np.int64 and np.array_equal(codes, expected(5)) and seen[-1] == 5


def test_workers_get_their_pictures(tmp_path: Path):
    simulate(make_testbench(tmp_path, ECHO), tmp_path / "work", noise(3), expected(3), workers=2)
    second = np.loadtxt(tmp_path / "work" / "worker1" / "tb_data" / "tb_input_features.dat")
    assert np.array_equal(second, noise(3)[2].reshape(-1))


@pytest.mark.parametrize(
    "script, message",
    [
        ("echo broken >&2; exit 3", "ended with 3 at picture 0 of worker0: broken"),
        ("kill -SEGV $$", "ended with -11"),
        ("head -1 tb_data/tb_output_predictions.dat > tb_data/csim_results.log", "gave 1 of 2 results in worker0"),
    ],
)  # fmt: skip
def test_failure_is_told(tmp_path: Path, script: str, message: str):
    with pytest.raises(SimulationError, match=message):
        simulate(make_testbench(tmp_path, script), tmp_path / "work", noise(2), expected(2), workers=1)


def test_interrupt_ends_every_worker(tmp_path: Path):
    def interrupt(done: int) -> None:
        raise KeyboardInterrupt

    binary = make_testbench(tmp_path, "echo $$ > pid; exec sleep 60")
    with pytest.raises(KeyboardInterrupt):
        simulate(binary, tmp_path / "work", noise(2), expected(2), interrupt, workers=2)
    for file in tmp_path.glob("work/worker*/pid"):
        with pytest.raises(ProcessLookupError):
            os.kill(int(file.read_text()), 0)


def test_interrupt_while_a_worker_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    start, started = simulation._start, []

    def start_and_interrupt(testbench: Path, folder: Path) -> subprocess.Popen:
        started.append(start(testbench, folder))
        os.kill(os.getpid(), signal.SIGINT)
        return started[-1]

    monkeypatch.setattr(simulation, "_start", start_and_interrupt)
    with pytest.raises(KeyboardInterrupt):
        simulate(make_testbench(tmp_path, "exec sleep 60"), tmp_path / "work", noise(2), expected(2), workers=2)
    assert len(started) == 1 and started[0].returncode is not None


def test_no_compiler(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SimulationError, match=r"no g\+\+ on the path; install one"):
        compiler()


def test_compiler_refuses(tmp_path: Path):
    (tmp_path / "firmware").mkdir()
    for source in simulation.SOURCES:
        (tmp_path / source).write_text("int main() { return nothing; }\n")
    with pytest.raises(SimulationError, match=r"(?s)g\+\+ refused the generated project: .*nothing"):
        compile_testbench(tmp_path)


def test_interrupt_ends_the_compiler_and_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    script = tmp_path / "g++"
    script.write_text(f"#!/bin/sh\nsleep 60 &\necho $! > {tmp_path}/child\nwait\n")
    script.chmod(0o755)
    monkeypatch.setattr(simulation, "compiler", lambda: str(script))

    def interrupt(self: subprocess.Popen) -> None:
        while not (tmp_path / "child").exists() or not (tmp_path / "child").read_text().strip():
            time.sleep(0.02)
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess.Popen, "communicate", interrupt)
    with pytest.raises(KeyboardInterrupt):
        compile_testbench(tmp_path)
    assert not alive(int((tmp_path / "child").read_text()))


def alive(process: int) -> bool:
    """Whether a process still runs, half a second after its end was asked for at the latest."""
    for _ in range(25):
        try:
            state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return False
        if state == "Z":
            return False
        time.sleep(0.02)
    os.kill(process, signal.SIGKILL)
    return True


def test_vectors_are_one_picture_a_line(tmp_path: Path):
    write_vectors(tmp_path / "tb", noise(2), expected(2))
    lines = (tmp_path / "tb" / "tb_input_features.dat").read_text().splitlines()
    assert [int(value) for value in lines[1].split()] == noise(2)[1].reshape(-1).tolist()
    assert np.array_equal(np.loadtxt(tmp_path / "tb" / "tb_output_predictions.dat"), expected(2))
