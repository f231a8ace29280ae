"""flows/synthesis.py sets the estimate beside the vendor's figures."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from flows import synthesis
from tests.support import DATA

REPORTS = DATA / "vendor_reports"
PYNQ = str(REPORTS / "pynq-z2")
ESTIMATE = {
    "schema_version": 2,
    "images_per_second": 3051.0,
    "interval_cycles": 32776,
    "latency_cycles": 90011,
    "clock_mhz": 100.0,
    "resources": {
        "LUT": {"used": 41000, "available": 53200},
        "FF": {"used": 50000, "available": 106400},
        "BRAM36": {"used": 92, "available": 140},
        "DSP": {"used": 96, "available": 220},
    },
    "operators": [],
}


def saved(folder: Path, estimate: Any) -> str:
    (folder / "estimate.json").write_text(json.dumps(estimate))
    return str(folder / "estimate.json")


def table(text: str) -> dict[str, list[str]]:
    lines = text[text.index("resource ") :].splitlines()[1:]
    return {line[:27].strip(): line[27:].replace("(", "").replace("%)", "").split() for line in lines}


def test_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    estimate, out = saved(tmp_path, ESTIMATE), tmp_path / "new" / "synthesis.json"
    assert synthesis.main(["--reports", PYNQ, "--estimate", estimate, "--json", str(out)]) == 0
    text = capsys.readouterr().out
    assert table(text) == {
        "LUT": ["41,000", "77.1", "47,310", "88.9", "38,412", "72.2", "53,200"],
        "FF": ["50,000", "47.0", "51,204", "48.1", "44,890", "42.2", "106,400"],
        "BRAM36": ["92", "65.7", "93.5", "66.8", "88.5", "63.2", "140"],
        "DSP": ["96", "43.6", "96", "43.6", "96", "43.6", "220"],
        "Clock, MHz": ["100", "137.931", "96.043", "100"],
        "Initiation interval, cycles": ["32,776", "32,772", "-", "-"],
        "Latency, cycles": ["90,011", "91,024", "-", "-"],
    }
    for said in (
        "HLS C++: synthesised by Vitis HLS 2023.2",
        "measured by Vitis HLS 2023.2, ",
        "measured by Vivado 2023.2, Routed, ",
        f"estimated, {estimate}",
    ):
        assert said in text
    assert "NOT MET: WNS -0.412 ns, TNS -38.105 ns; clock ap_clk of 10 ns" in text
    facts = json.loads(out.read_text())
    row = next(row for row in facts["rows"] if row["name"] == "BRAM36")
    assert row == {
        "name": "BRAM36",
        "estimate": {"value": 92, "evidence": "estimated"},
        "c_synthesis": {"value": 93.5, "evidence": "measured"},
        "implementation": {"value": 88.5, "evidence": "measured"},
        "available": 140,
    }
    assert facts["synthesis"]["c_synthesis"]["modules"][0]["name"] == "pot_linear_config2_s"


def test_without_an_estimate_and_without_c_synthesis(capsys: pytest.CaptureFixture[str]):
    assert synthesis.main(["--target", "kv260", "--reports", str(REPORTS / "kv260")]) == 0
    text = capsys.readouterr().out
    assert (
        "none was given; --estimate FILE" in text
        and "C synthesis  no report was found" in text
        and "HLS C++: not synthesised" in text
    )
    assert "met: WNS 0.25 ns" in text and table(text)["URAM"] == ["-", "-", "8", "12.5", "64"]


def test_the_estimates_own_evidence_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    estimate = copy.deepcopy(ESTIMATE) | {"evidence": "simulated"}
    estimate["resources"]["LUT"]["evidence"] = "calibrated"
    out = tmp_path / "synthesis.json"
    arguments = ["--reports", PYNQ, "--estimate", saved(tmp_path, estimate), "--json", str(out)]
    assert synthesis.main(arguments) == 0
    found = {row["name"]: (row["estimate"] or {}).get("evidence") for row in json.loads(out.read_text())["rows"]}
    assert found["LUT"] == "calibrated" and found["DSP"] == found["Initiation interval, cycles"] == "simulated"
    assert "estimate     calibrated and simulated and estimated, " in capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert synthesis.main(list(arguments)) == 2
    said = capsys.readouterr()
    assert said.err.startswith("synthesis: ") and said.err.count("\n") == 1 and not said.out
    return said.err


@pytest.mark.parametrize(
    "place, value, message",
    [
        (("interval_cycles",), None, "interval_cycles is missing; flows/estimate.py --json writes it"),
        (("clock_mhz",), "fast", "clock_mhz is 'fast', not a number of at least 0"),
        (("latency_cycles",), True, "latency_cycles is 'True', not a number"),
        (("latency_cycles",), float("nan"), "latency_cycles is 'nan', not a number"),
        (("resources",), 5, "resources.LUT.used is missing"),
        (("resources", "DSP"), None, "resources.DSP.used is missing"),
        (("resources", "FF", "used"), -1, "resources.FF.used is '-1', not a number of at least 0"),
        (("resources", "LUT", "available"), 117120, "estimate of a board with 117,120 LUT, not of pynq-z2"),
        (("resources", "LUT", "evidence"), "guessed", "evidence is 'guessed', not one of measured, simulated"),
        (("evidence",), ["measured"], "evidence is \"['measured']\", not one of"),
    ],
)
def test_wrong_estimates(tmp_path: Path, capsys, place: tuple[str, ...], value: Any, message: str):
    estimate: Any = copy.deepcopy(ESTIMATE)
    parent = estimate
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = value
    if value is None:
        del parent[place[-1]]
    file = saved(tmp_path, estimate)
    said = refused(capsys, "--reports", PYNQ, "--estimate", file)
    assert file in said and message in said


@pytest.mark.parametrize("document", [[], 3, "text", None])
def test_json_that_is_no_estimate(tmp_path: Path, capsys, document: Any):
    said = refused(capsys, "--reports", PYNQ, "--estimate", saved(tmp_path, document))
    assert "is JSON but no estimate; flows/estimate.py --json writes one" in said


@pytest.mark.parametrize("version, found", [(None, "no schema version"), (1, "schema version 1"), ("2", 'version "2"')])
def test_another_schema_version_names_both(tmp_path: Path, capsys, version: Any, found: str):
    file = saved(tmp_path, ESTIMATE | {"schema_version": version})
    said = refused(capsys, "--reports", PYNQ, "--estimate", file)
    assert f"{found}, this program reads version 2; write it again with flows/estimate.py --json" in said


def test_other_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "estimate.json").write_text("{'a'}")
    assert "is damaged or not JSON" in refused(capsys, "--reports", PYNQ, "--estimate", str(tmp_path / "estimate.json"))
    assert "cannot be read" in refused(capsys, "--reports", PYNQ, "--estimate", str(tmp_path / "none"))
    assert "is not a folder" in refused(capsys, "--reports", str(tmp_path / "none"))
    assert "unknown target 'moon'" in refused(capsys, "--reports", PYNQ, "--target", "moon")
    said = refused(capsys, "--reports", PYNQ, "--target", "kv260", "--json", str(tmp_path / "out.json"))
    assert "give the target that was synthesized for" in said and not (tmp_path / "out.json").exists()
