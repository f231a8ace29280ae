"""flows/estimate.py: figures, files, what limits them, and what it refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows import estimate as command
from hls_projects.cost import KINDS
from hls_projects.targets import target_file

FPS = 500
Estimate = Callable[..., dict[str, Any]]


@pytest.fixture
def lowered_option(lowered_build: Path) -> list[str]:
    return ["--lowered", str(lowered_build / "lowered.onnx")]


@pytest.fixture
def estimate(lowered_option: list[str], tmp_path: Path) -> Estimate:
    def run(*options: object) -> dict[str, Any]:
        path = tmp_path / "estimate.json"
        assert command.main([*lowered_option, "--json", str(path), *map(str, options)]) == 0
        return json.loads(path.read_text())

    return run


@pytest.fixture
def refused(lowered_option: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run an estimate that must be refused; returns the one line that it says."""

    def run(*options: object) -> str:
        path = tmp_path / "refused.json"
        capsys.readouterr()
        try:
            status = command.main([*lowered_option, "--json", str(path), *map(str, options)])
        except SystemExit as stop:
            status = stop.code
        said = capsys.readouterr()
        assert status == 2 and not said.out and not path.exists()
        assert said.err.startswith("estimate: ") and said.err.count("\n") == 1, said.err
        return said.err.rstrip()

    return run


def test_a_build_takes_the_folding_of_the_estimate(finished_build: Path, lowered_option: list[str], tmp_path: Path):
    assert command.main([*lowered_option, "--write-folding", str(tmp_path / "folding.json")]) == 0
    assert (tmp_path / "folding.json").read_text() == (finished_build / "folding.json").read_text()


def board(path: Path, **resources: float) -> Path:
    """A PYNQ-Z2 with other resources."""
    text = target_file("pynq-z2").read_text()
    for kind, count in resources.items():
        text = re.sub(rf"^{kind} = \d+$", f"{kind} = {count}", text, flags=re.MULTILINE)
    path.write_text(text)
    return path


def used(facts: dict[str, Any]) -> dict[str, float]:
    return {kind: facts["resources"][kind]["used"] for kind in KINDS}


def test_figures(estimate: Estimate, capsys: pytest.CaptureFixture[str]):
    facts = estimate("--fps", FPS)
    said = capsys.readouterr().out
    assert list(facts) == [
        "schema_version", "target", "images_per_second", "interval_cycles", "latency_cycles", "clock_mhz", "bottleneck",
        "bottleneck_cycles", "evidence", "design", "resources", "operators",
    ]  # fmt: skip
    rows = facts["operators"]
    assert all(list(row) == ["name", "kind", "folding", "cycles", *KINDS] for row in rows)
    for kind in KINDS:
        # Every row is rounded.
        whole = sum(row[kind] for row in rows)
        assert used(facts)[kind] == pytest.approx(whole, abs=len(rows) / 2 if kind in ("LUT", "FF") else 0)
        assert used(facts)[kind] > 0 and f" {kind}" in said
    slowest = max(rows, key=lambda row: row["cycles"])
    assert (facts["bottleneck"], facts["bottleneck_cycles"]) == (slowest["name"], slowest["cycles"])
    assert facts["latency_cycles"] > facts["interval_cycles"] >= facts["bottleneck_cycles"]
    assert facts["images_per_second"] == pytest.approx(facts["clock_mhz"] * 1e6 / facts["interval_cycles"], rel=1e-4)
    assert facts["images_per_second"] >= FPS and (facts["evidence"], facts["design"]) == ("simulated", "rtl")
    assert all(facts["resources"][kind]["evidence"] == "calibrated" for kind in KINDS)
    assert f"{facts['images_per_second']:,.1f} images/s at 100 MHz (initiation interval" in said
    assert all(row["name"] in said for row in rows)


def test_as_many_as_fit_and_as_many_as_are_enough(estimate: Estimate):
    most, enough = estimate(), estimate("--fps", FPS)
    assert most["images_per_second"] > 2 * enough["images_per_second"]
    assert all(used(most)[kind] >= used(enough)[kind] for kind in KINDS)
    assert all(row["used"] <= 0.85 * row["available"] for row in most["resources"].values())


def test_zeros_save_time_or_resources(estimate: Estimate):
    """In the tiny model, which has none, they cost nothing; a dense folding never uses them."""
    dense, sparse = estimate("--fps", FPS, "--dense"), estimate("--fps", FPS)
    assert not any(row["folding"].get("sparse") for row in dense["operators"])
    assert max(used(sparse)[k] / sparse["resources"][k]["available"] for k in KINDS) <= 1.02 * max(
        used(dense)[k] / dense["resources"][k]["available"] for k in KINDS
    )


def test_a_fill_is_kept_to(estimate: Estimate, tmp_path: Path):
    target = board(tmp_path / "small.toml", LUT=3300, DSP=16)
    whole, less = (estimate("--target", target, "--fill", fill) for fill in (1, 0.85))
    for facts, fill in ((whole, 1), (less, 0.85)):
        assert all(row["used"] <= fill * row["available"] + 0.5 for row in facts["resources"].values())
    assert less["interval_cycles"] > whole["interval_cycles"]


def test_a_clock_makes_it_faster(estimate: Estimate):
    slow, fast = (estimate("--fps", FPS, "--clock", clock) for clock in (50, 200))
    assert (slow["clock_mhz"], fast["clock_mhz"]) == (50, 200)
    assert slow["bottleneck_cycles"] <= 50e6 / FPS and fast["bottleneck_cycles"] <= 200e6 / FPS
    assert fast["bottleneck_cycles"] >= slow["bottleneck_cycles"]


def test_files(estimate: Estimate, tmp_path: Path):
    plot, file = tmp_path / "estimate.png", tmp_path / "folding.json"
    chosen = estimate("--fps", FPS, "--plot", plot, "--write-folding", file)
    assert plot.read_bytes().startswith(b"\x89PNG")
    folded = {row["name"]: row["folding"] for row in chosen["operators"] if row["folding"]}
    assert json.loads(file.read_text()) == folded
    assert estimate("--folding", file) == chosen


def test_a_board_that_is_too_small(refused: Callable[..., str], estimate: Estimate, tmp_path: Path):
    """What is named does fit, and much more does not."""
    target = board(tmp_path / "small.toml", LUT=3300, DSP=16)
    said = refused("--target", target, "--fps", 30000)
    found = re.fullmatch(
        r"estimate: small is too small: the design needs ([\d,]+) LUT, ([\d,]+) more than 85% of 3,300(?: and .*)?; "
        r"([\d,]+) images/s would fit",
        said,
    )
    assert found, said
    taken, more, most = (int(text.replace(",", "")) for text in found.groups())
    assert taken - more == 0.85 * 3300 and more > 0
    assert estimate("--target", target, "--fps", most)["images_per_second"] >= most
    assert refused("--target", target, "--fps", 2 * most).endswith("images/s would fit")


def test_a_board_that_is_too_small_for_anything(refused: Callable[..., str], tmp_path: Path):
    target = board(tmp_path / "tiny.toml", LUT=900, BRAM36=2)
    said = refused("--target", target)
    assert re.fullmatch(
        r"estimate: tiny is too small: the design needs [\d,]+ LUT, [\d,]+ more than 85% of 900 and [\d.]+ BRAM36, "
        r"[\d.]+ more than 85% of 2, even at the lowest throughput",
        said,
    ), said
    assert "; at the lowest throughput, tiny is too small: the design needs" in refused(
        "--target", target, "--fps", FPS
    )


def test_a_throughput_that_no_folding_has(refused: Callable[..., str]):
    said = refused("--fps", 10**6)
    assert re.fullmatch(
        r"estimate: \w+ takes [\d,]+ cycles an image at its fastest, more than 100: at most [\d,]+ images/s "
        r"at 100 MHz",
        said,
    ), said


def test_a_plot_of_no_format(refused: Callable[..., str]):
    assert "estimate: argument --plot: plot.nothing must end in .png, " in refused("--plot", "plot.nothing")


@pytest.mark.parametrize("option", ["--clock", "--fps", "--fill"])
@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "much"])
def test_values_that_are_none(option: str, value: str, refused: Callable[..., str]):
    assert re.search(rf": argument {option}: {value} is not a (number|share) above 0", refused(f"{option}={value}"))


def text_file(text: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / "given.json"
        path.write_text(text)
        return path

    return make


@pytest.mark.parametrize(
    ("option", "make", "message"),
    [
        ("--folding", text_file('{"nobody": {"pe": 1}}'), "there is no operator nobody that can be folded"),
        ("--folding", text_file("{}"), "operator blocks_0_attn_k has no folding"),
        ("--folding", text_file("{"), "given.json is not JSON"),
        ("--folding", text_file("[]"), 'must be an object of {"OPERATOR": {"pe": N}}'),
        ("--folding", lambda folder: folder / "none.json", "none.json cannot be read: No such file"),
        ("--lowered", lambda folder: folder / "none.onnx", "none.onnx does not exist"),
        ("--lowered", text_file("no graph"), "given.json is not an ONNX file"),
        ("--target", lambda _: "no-board", "no-board"),
    ],
)  # fmt: skip
def test_refusals(option: str, make, message: str, refused: Callable[..., str], tmp_path: Path):
    said = refused(option, make(tmp_path))
    assert said.startswith("estimate: ") and message in said


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pe": 0}, "the folding of patch_embed: "),
        ({"pe": "many"}, "the folding of patch_embed: "),
        ({"speed": 3}, "the folding of patch_embed must have "),
    ],
)
def test_foldings_that_do_not_fit(
    estimate: Estimate, refused: Callable[..., str], change, message: str, tmp_path: Path
):
    file = tmp_path / "folding.json"
    estimate("--fps", FPS, "--write-folding", file)
    rows = json.loads(file.read_text())
    rows["patch_embed"] |= change
    file.write_text(json.dumps(rows))
    assert message in refused("--folding", file)
