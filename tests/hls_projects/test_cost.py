"""The cost model against the measurements that it ships with, and against fresh ones."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from flows import calibrate as command
from hls_projects import cost
from hls_projects.calibration import calibrate, table
from hls_projects.calibration.fit import FITTED, Sample, fit, report, split
from hls_projects.calibration.grid import FAMILIES, operator_of
from hls_projects.calibration.table import digest
from hls_projects.cost import (
    FIFO_LUT_RAM,
    KINDS,
    BlockRam,
    Demand,
    Resources,
    Rom,
    clone_resources,
    fifo_resources,
    resources,
)
from hls_projects.errors import InputError
from hls_projects.operators import OPERATORS, HardwareOperator

MEDIAN, WORST, SLACK = 0.15, 0.35, 20
families = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)


def model():
    return cost.load_model(cost.MODEL)


def samples(family):
    return [Sample.of(row, family.design(row.point).demand) for row in table.read(family)]


def linear(pe=4, element="bucket", sparse=0, n_in=32, n_out=24, seed=0, **folding):
    random = np.random.default_rng(seed)
    kept = random.random((n_out, n_in // 16, 16)).argsort(axis=2) < 8
    codes = np.where(kept.reshape(n_out, n_in), random.integers(1, 8, (n_out, n_in)), 0)
    arrays = {"codes": codes, "bias": np.zeros(n_out), "acc_shift": np.zeros(n_out), "out_shift": np.full(n_out, 7)}
    sizes = {"n_tokens": 4, "n_in": n_in, "n_out": n_out, "exponent_bits": 3, "mantissa_bits": 0}
    folding |= {"pe": pe, "element": element, "sparse": sparse}
    return operator_of("PotLinear", ["INT8"], "INT8", **folding, **sizes, **arrays)


@families
def test_the_model_ships_with_its_table(family):
    """Every point of the grid was measured, by the synthesiser that the model names."""
    rows = table.read(family)
    assert [row.point for row in rows] == list(family.points)
    assert {row.measured.creator for row in rows} == {model()["creator"]}


@families
def test_errors_are_those_that_the_model_states(family):
    """Recomputed from the table: on points held out for what is fitted, on all for what is counted."""
    found = samples(family)
    for kind in {sample.demand.kind for sample in found}:
        stated, of_kind = model()["kinds"][kind], [sample for sample in found if sample.demand.kind == kind]
        _, held = split(of_kind)
        assert (stated["points"], stated["held_out"]) == (len(of_kind), len(held))
        for name in KINDS:
            compared = held if name in FITTED else of_kind
            measured = np.array([sample.measured[name] for sample in compared])
            absolute = np.abs([getattr(resources(sample.demand), name) for sample in compared] - measured)
            relative = absolute / np.maximum(measured, 1)
            errors = np.median(relative), relative.max(), absolute.max()
            np.testing.assert_allclose(errors, list(stated["errors"][name].values()), atol=1e-3)


@families
def test_errors_are_small(family):
    """At most 15 % in the middle and 35 %, or 20 LUTs or flip-flops, at worst; counts are exact."""
    found = samples(family)
    for kind in {sample.demand.kind for sample in found}:
        errors = model()["kinds"][kind]["errors"]
        for name in FITTED:
            assert errors[name]["median"] <= MEDIAN, (kind, name)
        assert errors["BRAM36"]["worst"] == errors["DSP"]["worst"] == 0, kind
    for sample in found:
        predicted = resources(sample.demand)
        for name in FITTED:
            allowed = max(WORST * sample.measured[name], SLACK)
            assert abs(getattr(predicted, name) - sample.measured[name]) <= allowed, (sample.point, name)


@families
def test_the_table_is_of_this_verilog(family):
    """A twin or its parameters have changed: run flows/calibrate.py."""
    stale = [row.point for row in table.read(family) if row.design != digest(family.design(row.point))]
    assert not stale, f"{len(stale)} points were measured on other Verilog, such as {stale[0]}"


def test_every_operator_has_a_model():
    kinds = {kind.split()[0] for kind in model()["kinds"]}
    assert {operator.__name__ for operator in OPERATORS} - {"Head"} <= kinds


def test_the_head_costs_more_than_a_layer_of_its_size():
    """Its codes leave in one word."""
    layer = linear(n_out=10, pe=2)
    attributes = {name: layer.get_nodeattr(name) for name in layer.get_nodeattr_types() if not name.endswith("dtypes")}
    attributes.pop("out_dtype")
    head = operator_of("Head", ["INT8"], "INT8", scale_log2=0, **attributes)
    assert head.cost().resources.FF > layer.cost().resources.FF


class Uncalibrated(HardwareOperator):
    """Has no demand."""

    kernel = "none"

    def input_shapes(self):
        return ((1, 1),)

    output_shape = execute = stages = input_shapes


def test_an_operator_without_a_model():
    with pytest.raises(InputError, match=r"^Uncalibrated does not declare what its resources follow from$"):
        Uncalibrated(helper.make_node("Uncalibrated", ["x"], ["y"])).demand()


def test_a_kind_without_a_model():
    with pytest.raises(InputError, match=r"^Novel has no cost model; add it to hls_projects/calibration/grid"):
        resources(Demand("Novel", {"one": 1}))
    with pytest.raises(InputError, match=r"^ResidualAdd was calibrated with other features \(.*new"):
        resources(Demand("ResidualAdd", {"one": 1, "new": 2}))


def test_no_calibration(monkeypatch, tmp_path):
    monkeypatch.setattr(cost, "MODEL", tmp_path / "model.json")
    with pytest.raises(InputError, match=r"model\.json: No such file or directory; run"):
        resources(Demand("ResidualAdd", {"one": 1}))


def test_resources_add_up():
    total = sum([Resources(1, 2, 0.5, 4), Resources(LUT=2, BRAM36=1)], Resources())
    assert total == Resources(3, 2, 1.5, 4) and total.values() == (3, 2, 1.5, 4)
    assert KINDS == ("LUT", "FF", "BRAM36", "DSP")


@pytest.mark.parametrize("element, sparse", [("bucket", 1), ("bucket", 0), ("shift", 0), ("dsp", 0)])
def test_more_elements_cost_more_and_are_no_slower(element, sparse):
    layer, costs = linear(n_out=96, element=element, sparse=sparse), []
    for pe in (4, 8, 12, 24, 48, 96):
        layer.fold({"pe": pe})
        costs.append(layer.cost())
    luts, flip_flops = (np.array([getattr(each.resources, name) for each in costs]) for name in FITTED)
    assert (np.diff(luts) > 0).all() and (np.diff(flip_flops) > 0).all()
    assert (np.diff([each.cycles for each in costs]) <= 0).all()
    assert costs[0].cycles > costs[-1].cycles


def test_zeros_save_cycles_and_cost_luts():
    dense, sparse = (linear(pe=8, n_in=96, sparse=sparse).cost() for sparse in (0, 1))
    assert sparse.cycles < dense.cycles
    assert sparse.resources.LUT > dense.resources.LUT


def test_a_cost_is_quick():
    """A solver asks for thousands of them: 2 ms of processor time each at most, of which half is in reserve."""
    layer = linear(n_out=96, n_in=96)
    foldings = list(layer.foldings())
    began = time.process_time()
    for folding in foldings:
        layer.fold(folding)
        layer.cost()
    assert len(foldings) > 100 and time.process_time() - began < 2e-3 * len(foldings)


def test_an_element_in_dsps():
    assert linear(pe=6, element="dsp").cost().resources.DSP == 6
    assert linear(pe=6, element="dsp").cost().resources.LUT < linear(pe=6, element="shift").cost().resources.LUT


def test_two_tokens_share_the_weights_block_rams():
    """2.5 for the weights of twenty outputs, 1.5 of ten; half of one for the tokens, one or two."""
    sizes = {"sparse": 1, "n_in": 96, "n_out": 96}
    one, two = linear(pe=20, **sizes).cost(), linear(pe=10, parallel_tokens=2, **sizes).cost()
    assert (one.resources.BRAM36, two.resources.BRAM36) == (3.0, 2.0)
    assert one.resources.LUT < two.resources.LUT < one.resources.LUT + 150
    assert linear(pe=6, element="dsp", parallel_tokens=2).cost().resources.DSP == 12


def test_packed_products_halve_the_dsps():
    sizes = {
        "n_tokens": 64,
        "tile_size": 8,
        "load_size": 64,
        "n_window": 64,
        "n_heads": 3,
        "head_dim": 32,
        "out_shift": 8,
    }
    folding = {"parallel_heads": 3, "parallel_keys": 8}
    plain, packed = (
        operator_of("AttentionScores", ["INT8", "INT8"], "INT8", packed=packed, **sizes, **folding).cost()
        for packed in (0, 1)
    )
    assert (plain.resources.DSP, packed.resources.DSP) == (24, 12)
    assert packed.resources.LUT > plain.resources.LUT and packed.cycles == plain.cycles


def test_deeper_and_wider_fifos_cost_more():
    assert fifo_resources(0, 2) == fifo_resources(8, 1) == Resources()
    lines, lut_ram, ring = (fifo_resources(8, depth) for depth in (32, 128, 2048))
    assert lines.LUT < lut_ram.LUT and lines.BRAM36 == lut_ram.BRAM36 == 0 and ring.BRAM36 == 0.5
    assert fifo_resources(8, FIFO_LUT_RAM).BRAM36 == 0 and fifo_resources(8, FIFO_LUT_RAM + 1).BRAM36 == 0.5
    for depth in (32, 128, 2048):
        assert fifo_resources(24, depth).FF >= fifo_resources(8, depth).FF
    assert clone_resources(3, 8).LUT > clone_resources(2, 8).LUT
    assert clone_resources(2, 24).FF > clone_resources(2, 8).FF


@pytest.mark.parametrize(
    ("width", "words", "expected"),
    [(180, 245, 2.5), (100, 97, 1.5), (36, 2100, 2.5), (9, 2100, 1), (40, 1000, 1.5), (20, 1160, 1), (40, 4656, 6),
     (63, 700, 2), (20, 5000, 3), (20, 9312, 6), (36, 1500, 1.5), (36, 3000, 3), (36, 3500, 3.5), (36, 4000, 4),
     (36, 4300, 4.5), (10, 9000, 2.5)],
)  # fmt: skip
def test_block_rams_of_constants(width, words, expected):
    """As Yosys 0.23 was seen to map such memories."""
    assert expected == BlockRam.of(width, words, written=False).BRAM36


@pytest.mark.parametrize(
    ("elements", "address", "expected"),
    [(1, 8, 0.5), (8, 9, 1), (24, 9, 3), (6, 7, 1), (3, 11, 1.5), (4, 12, 4), (24, 10, 6), (5, 10, 1.5), (1, 13, 2)],
)
def test_block_rams_of_words_written_by_element(elements, address, expected):
    """As Yosys 0.23 was seen to map them: an element of 8 bits takes a byte of 9."""
    assert expected == BlockRam.of(8 * elements, 1 << address, element=8).BRAM36
    assert BlockRam.of(6 * 8, 1 << 9, element=6).BRAM36 == 1


def test_block_rams_of_words_side_by_side():
    """A multiplexer chooses; words that are written take whole bytes."""
    assert BlockRam.of(20, 5000, written=False).choice_luts > 0 == BlockRam.of(36, 4096).choice_luts
    assert BlockRam.of(24, 8192).BRAM36 == 6 and BlockRam.of(24, 8192, written=False).BRAM36 == 5.5


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (np.zeros(256), (0, 0)),
        (np.arange(256), (0, 8)),
        (np.maximum(np.arange(256) - 128, 0), (0, 7)),
        (np.random.default_rng(0).integers(0, 256, 256), (32, 32)),
    ],
)
def test_tables_count_by_what_they_hold(words, expected):
    """Nothing, the address itself, a ramp, and anything; more is in block RAM."""
    found = Rom.of(8, words)
    assert (found.luts, found.tree_luts, found.choice_luts, found.BRAM36) == (*expected, 0, 0)
    assert Rom.of(8, np.arange(4096) % 251) == Rom(0, 0, 0, 1)


# The calibration, without a synthesiser.


def line(width):
    point = {"width": width}
    demand = Demand("Line", {"one": 1, "width": width})
    return Sample(point, demand, {"LUT": 3 + 2 * width, "FF": width, "BRAM36": 0, "DSP": 0})


def test_fit_finds_the_coefficients_and_holds_points_out():
    found = fit([line(width) for width in range(10, 28)], "Yosys 0")["kinds"]["Line"]
    assert (found["points"], found["held_out"]) == (18, 6)
    assert found["coefficients"]["LUT"] == pytest.approx({"one": 3, "width": 2}, abs=1e-3)
    assert found["errors"]["FF"]["worst"] < 1e-3
    wrong = [line(width) for width in range(10, 28)]
    _, held = split(wrong)
    held[0].measured["LUT"] *= 2
    assert fit(wrong, "Yosys 0")["kinds"]["Line"]["errors"]["LUT"]["worst"] == pytest.approx(0.5, abs=0.01)


def test_fit_needs_points():
    with pytest.raises(InputError, match="Line has 2 points"):
        fit([line(1), line(2)], "Yosys 0")


def test_the_report_names_kinds_and_errors():
    text = report(fit([line(width) for width in range(10, 28)], "Yosys 0"))
    assert text.splitlines()[1].split() == ["Line", "18", "6", "0.0%", "0.0%", "0.0%", "0.0%", "0.0%", "0.0%"]


FORK = FAMILIES[-1]


def places(folder: Path) -> list[str]:
    """Options that keep calibration in ``folder``."""
    return ["--folder", str(folder), "--model", str(folder / "model.json")]


@pytest.fixture
def calibrates(tmp_path, monkeypatch):
    """Calibration in a copy of the measurements, by a synthesiser that only counts; gives status and count."""
    for family in FAMILIES:
        table.write(family, table.read(family), tmp_path)
    calls = []

    def synthesise(*design):
        calls.append(design)
        return table.read(FORK)[0].measured

    def run(*options):
        calls.clear()
        return command.main([*places(tmp_path), *options]), len(calls)

    monkeypatch.setattr(calibrate, "synthesise", synthesise)
    return run


def test_calibration_measures_what_is_missing(calibrates, tmp_path, capsys):
    assert calibrates("--operators", "Fork") == (0, 0)
    table.write(FORK, table.read(FORK)[3:], tmp_path)
    assert calibrates("--operators", "Fork", "--most", "1") == (0, 1)
    assert calibrates("--operators", "Fork", "--jobs", "2") == (0, 2)
    assert [row.point for row in table.read(FORK, tmp_path)] == list(FORK.points)
    assert set(json.loads((tmp_path / "model.json").read_text())["kinds"]) == set(model()["kinds"])
    assert "LUT median" in capsys.readouterr().out


def test_calibration_measures_again_what_has_changed(calibrates, tmp_path):
    rows = table.read(FORK)
    table.write(FORK, [replace(rows[0], design="other"), *rows[1:]], tmp_path)
    assert calibrates("--operators", "Fork") == (0, 1)


def test_calibration_refuses_two_synthesisers(calibrates, tmp_path, capsys):
    rows = table.read(FORK)
    other = replace(rows[0], measured=replace(rows[0].measured, creator="Yosys 99"))
    table.write(FORK, [other, *rows[1:]], tmp_path)
    assert calibrates("--most", "0") == (2, 0)
    assert "and Yosys 99; measure all of them with one Yosys" in capsys.readouterr().err


def test_calibration_says_that_there_is_no_yosys(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert command.main([*places(tmp_path), "--operators", "Fork", "--most", "1"]) == 2
    assert capsys.readouterr().err.startswith("calibrate: no yosys on the path; install it")


def test_a_table_with_other_columns(tmp_path):
    table.path_of(FORK, tmp_path).write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="has other columns than"):
        table.read(FORK, tmp_path)


@pytest.mark.yosys
@pytest.mark.parametrize("name, index", [("ResidualAdd", 0), ("PotLinear", 8)])
def test_a_fresh_synthesis_gives_the_table(name, index):
    family = next(family for family in FAMILIES if family.name == name)
    row = table.read(family)[index]
    assert calibrate.measured(family, row.point) == row
