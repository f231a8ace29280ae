"""Facts, schema and page of a report."""

from __future__ import annotations

import base64
import dataclasses
import errno
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from brevitas.nn import QuantLinear
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from PIL import Image
from qonnx.core.modelwrapper import ModelWrapper

from brevitas_model.checkpoint import load_checkpoint
from flows.reporting import facts, formatting, views
from flows.reporting.page import render_report, wrong_images
from flows.reporting.schema import check_report, load_schema, read_report
from hls_projects.errors import InputError
from hls_projects.files import write_whole
from hls_projects.graphs.ranges import analyse_ranges
from hls_projects.targets import load_target
from tests.support import ROOT
from tests.support.reports import (
    FREE,
    OPTIONAL,
    Page,
    at,
    empty_report,
    exact_report,
    full_report,
    large_report,
    pattern,
    places,
    shown,
)  # fmt: skip

SECTIONS = ["exactness", "accuracy", "fit", "speed", "bits", "provenance"]
HOSTILE = """<script>alert(1)</script>&amp;"'}}{{ 7 * 7 }} $x^{ %s"""

classes = st.integers(0, 9)


# Facts: accuracy


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(classes, classes), min_size=1, max_size=40))
def test_classes_are_counted(pairs):
    labels = np.array([label for label, _ in pairs])
    logits = np.eye(10, dtype=np.float32)[[predicted for _, predicted in pairs]]
    found = facts.accuracy_facts({"torch": logits, "csim": logits, "lowered": logits[:-1]}, labels)
    for label in range(10):
        mine = [predicted for true, predicted in pairs if true == label]
        assert found["images"][label] == len(mine)
        assert found["confusion"][label] == [mine.count(predicted) for predicted in range(10)]
        right = round(100 * mine.count(label) / len(mine), 4) if mine else None
        assert found["accuracy"] == {"torch": found["accuracy"]["csim"], "csim": found["accuracy"]["csim"]}
        assert found["accuracy"]["csim"][label] == right


def test_first_of_equal_logits_wins():
    found = facts.accuracy_facts({"csim": np.zeros((1, 10), np.float32)}, np.array([3]))
    assert found["confusion"][3][0] == 1


def test_no_classes_without_labels():
    assert facts.accuracy_facts({"csim": np.zeros((2, 10))}, None) is None


def test_no_confusion_without_the_simulation():
    found = facts.accuracy_facts({"torch": np.zeros((2, 10))}, np.array([0, 1]))
    assert found["confusion"] is None and found["accuracy"]["torch"][:3] == [100.0, 0.0, None]


def test_names_of_other_data_sets():
    found = facts.accuracy_facts({"csim": np.zeros((2, 12))}, np.array([0, 1]))
    assert found["names"][11] == "class 11" and len(found["images"]) == len(found["confusion"]) == 12


# Facts: graphs


def test_every_tensor_has_its_range(qonnx: ModelWrapper):
    found = {tensor["name"]: tensor for tensor in facts.tensor_facts(qonnx)}
    ranges = analyse_ranges(qonnx)
    assert list(found) == list(ranges)
    for name, tensor in ranges.items():
        assert (found[name]["kind"], found[name]["bits"]) == (tensor.kind, tensor.bits)
        if tensor.kind != "real":
            assert found[name]["low"] == tensor.lo.min() and found[name]["high"] == tensor.hi.max()
            assert found[name]["step_log2"] == tensor.min_step
    makers = {output: node.op_type for node in qonnx.graph.node for output in node.output}
    assert {name: tensor["operator"] for name, tensor in found.items() if name != "pixels"} == makers
    assert found["pixels"]["operator"] == "input" and {t["kind"] for t in found.values()} == {
        "fixed",
        "floating",
        "real",
    }


def test_a_graph_without_ranges_is_refused(qonnx: ModelWrapper):
    del qonnx.graph.metadata_props[:]
    del qonnx.model.metadata_props[:]
    with pytest.raises(InputError, match="carries no ranges; start --from ranges"):
        facts.tensor_facts(qonnx)


@torch.no_grad()
def test_layers_are_those_of_the_checkpoint(lowered: ModelWrapper, checkpoint: Path):
    model, _ = load_checkpoint(checkpoint)
    expected = {
        name.replace(".", "_"): module.quant_weight()
        for name, module in model.named_modules()
        if isinstance(module, QuantLinear)
    }
    found = {layer["name"]: layer for layer in facts.layer_facts(lowered)}
    assert found.keys() == expected.keys()
    for name, layer in found.items():
        weights = expected[name]
        assert (layer["outputs"], layer["inputs"]) == tuple(weights.value.shape) and layer[
            "weights"
        ] == weights.value.numel()
        assert layer["zeros"] == int((weights.value == 0).sum())
        assert (layer["code_bits"], layer["format"]) == (4, "E3M0")
        smallest = weights.scale * 2 ** (1 - weights.exponent_bias - weights.mantissa_bit_width)
        powers = torch.log2((weights.value / smallest).abs()).flatten().tolist()
        assert layer["exponents"] == {str(power): powers.count(power) for power in range(7)}


def test_storage_is_what_the_project_holds(finished_build: Path):
    """Against the files and the types that hls4ml wrote."""
    lowered = ModelWrapper(str(finished_build / "lowered.onnx"))
    firmware = finished_build / "hls" / "firmware"
    types = re.findall(r"typedef ap_u?int<(\d+)> ([a-z_]+)\d+_t;", (firmware / "defines.h").read_text())
    files = {path.stem: len(path.read_text().split(",")) for path in (firmware / "weights").glob("*.txt")}
    found = facts.storage_facts(lowered)
    assert sorted((array["array"], array["bits_each"]) for array in found) == sorted(
        (name, int(bits)) for bits, name in types if name in {array["array"] for array in found}
    )
    assert sorted((array["array"], array["elements"]) for array in found) == sorted(
        (name.rstrip("0123456789"), count) for name, count in files.items()
    )


def test_macs_of_the_matrix_products(lowered: ModelWrapper, checkpoint: Path):
    model, _ = load_checkpoint(checkpoint)
    tokens, config = model.config.num_patches, model.config
    weights = {name: m.weight.numel() for name, m in model.named_modules() if isinstance(m, QuantLinear)}
    head = weights.pop("head")
    assert facts.mac_facts(lowered) == {
        "weights": tokens * sum(weights.values()) + head,
        "attention": 2 * config.depth * tokens * tokens * config.embed_dim,
    }


# Schema


def test_the_schemas_are_schemas():
    for name in ("report", "comparison"):
        Draft202012Validator.check_schema(load_schema(name))


def described(schema: Any, place: str = "") -> list[str]:
    """Places of properties without a description."""
    missing = []
    for key, item in schema.get("properties", {}).items():
        missing += [] if item.get("description") else [f"{place}.{key}"]
        missing += described(item, f"{place}.{key}")
    for part in ("items", "additionalProperties"):
        if isinstance(schema.get(part), dict):
            missing += described(schema[part], f"{place}.{part}")
    return missing


def test_every_property_is_described():
    for name in ("report", "comparison"):
        schema = load_schema(name)
        assert described(schema) == [] and schema["description"]
        assert all(described(item) == [] for item in schema.get("$defs", {}).values())
    assert described({"properties": {"a": {"properties": {"b": {}}}}}) == [".a", ".a.b"]


@pytest.mark.parametrize("make", [full_report, empty_report, exact_report, large_report])
def test_reports_are_accepted(make):
    check_report(make())


def refused(report: Any) -> str:
    with pytest.raises(InputError) as caught:
        check_report(report)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500
    return str(caught.value)


def test_every_missing_key_is_named():
    for place in places(full_report()):
        report = full_report()
        parent = at(report, place[:-1])
        if isinstance(parent, dict) and pattern(place[:-1]) not in OPTIONAL:
            del parent[place[-1]]
            assert refused(report) == f"{shown(place)} is missing"


def test_every_unknown_key_is_named():
    for place in [(), *places(full_report())]:
        report = full_report()
        found = at(report, place)
        if isinstance(found, dict) and pattern(place) not in FREE:
            found["Surprise"] = 1
            assert refused(report) == f"{shown((*place, 'Surprise'))} is not in the schema"


def test_every_wrong_type_is_named():
    tried = 0
    for place in places(full_report()):
        if place[:2] == ("model", "config"):
            continue
        for wrong in ({"x": {}}, [[]], True):
            report = full_report()
            if type(at(report, place)) is type(wrong) and wrong is not True:
                continue
            at(report, place[:-1])[place[-1]] = wrong
            assert shown(place) in refused(report)
            tried += 1
    assert tried > 500


@pytest.mark.parametrize(
    "place, value, message",
    [
        (("accuracy", "csim"), 100.5, "report.accuracy.csim: 100.5 is greater than the maximum"),
        (("model", "sparsity"), -0.1, "report.model.sparsity"),
        (("images",), 0, "report.images: 0 is less than the minimum"),
        (("images",), 1.5, "report.images: 1.5 is not of type 'integer'"),
        (("resources", "LUT", "evidence"), "guessed", "report.resources.LUT.evidence: 'guessed' is not one of"),
        (("resources",), {}, "report.resources"),
        (("provenance", "commit"), "main", "report.provenance.commit: 'main' does not match"),
        (("provenance", "files", "model.qonnx.onnx"), "ab", "report.provenance.files.model.qonnx.onnx"),
        (("layers", 0, "exponents"), {"one": 1}, "report.layers[0].exponents"),
        (("comparisons", 0, "between"), ["torch"], "report.comparisons[0].between"),
        (("stages", 1, "name"), "No Name", "report.stages[1].name"),
        (("max_bits",), float("nan"), "report.max_bits is nan, which JSON does not hold"),
        (("model", "config", "lr"), float("inf"), "report.model.config.lr is inf, which JSON does not hold"),
        (("target",), "\ud800", "report.target is text that UTF-8 does not hold"),
        (("seconds", "\ud800"), 1.0, "a key of report.seconds is text that UTF-8 does not hold"),
        (("classes", "images"), [1], "report.classes.images has 1 elements, not one for each of 10 names"),
        (("classes", "accuracy", "csim"), [], "report.classes.accuracy.csim has 0 elements"),
        (("classes", "confusion", 3), [1, 2], "report.classes.confusion[3] has 2 elements"),
        (("target",), ["x" * 9999], "report.target: "),
    ],
)
def test_wrong_values_are_named(place, value, message):
    report = full_report()
    at(report, place[:-1])[place[-1]] = value
    assert refused(report).startswith(message)


@pytest.mark.parametrize("document", [[], "report", 3, None])
def test_other_json_is_refused(document):
    assert refused(document).startswith("report: ")


# Reading


def read_refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_report(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)


def test_reading_a_file_and_a_folder(tmp_path: Path):
    (tmp_path / "report.json").write_text(json.dumps(full_report()))
    assert read_report(tmp_path) == read_report(tmp_path / "report.json") == full_report()


def test_missing_files(tmp_path: Path):
    assert "does not exist; give a report.json" in read_refused(tmp_path / "none")
    assert "holds no report.json; run flows/build.py to its last step" in read_refused(tmp_path)


def test_a_file_that_cannot_be_read(tmp_path: Path):
    (tmp_path / "report.json").mkdir()
    assert "cannot be read: it is not a regular file" in read_refused(tmp_path)


@pytest.mark.parametrize("version, found", [(2, "schema version 2"), (None, "no schema version"), ("3", 'version "3"')])
def test_another_schema_version_names_both(tmp_path: Path, version, found):
    (tmp_path / "report.json").write_text(json.dumps(full_report() | {"schema_version": version}))
    said = read_refused(tmp_path)
    assert found in said and "this program reads version 3" in said


def test_a_report_from_before_the_schema(tmp_path: Path):
    (tmp_path / "report.json").write_text('{"target": "pynq-z2", "images": 40}')
    assert "no schema version, this program reads version 3; build it again" in read_refused(tmp_path)


@pytest.mark.parametrize("text", [b"", b"\xff\xfe", b"[" * 100_000, b"{'a': 1}", b'{"images": 1' + b"0" * 5000 + b"}"])
def test_damaged_files(tmp_path: Path, text: bytes):
    (tmp_path / "report.json").write_bytes(text)
    assert "is damaged or not JSON" in read_refused(tmp_path)


def test_every_truncation_is_refused(tmp_path: Path):
    whole = json.dumps(full_report(), indent=1)
    for length in range(0, len(whole), 97):
        (tmp_path / "report.json").write_text(whole[:length])
        assert "is damaged or not JSON" in read_refused(tmp_path)


@pytest.mark.parametrize("document", [[], 3, "text", None])
def test_json_that_is_no_report(tmp_path: Path, document):
    (tmp_path / "report.json").write_text(json.dumps(document))
    assert "is JSON but no report" in read_refused(tmp_path)


def test_a_wrong_report_is_named_with_file_and_place(tmp_path: Path):
    (tmp_path / "report.json").write_text(json.dumps(full_report() | {"images": 0}))
    assert f"{tmp_path / 'report.json'}: report.images: 0" in read_refused(tmp_path)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_numbers_that_are_none(tmp_path: Path, number: str):
    text = json.dumps(full_report()).replace('"max_bits": 23', f'"max_bits": {number}')
    (tmp_path / "report.json").write_text(text)
    assert "report.max_bits is" in read_refused(tmp_path)


# Writing


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "page.html").write_text("earlier")
    monkeypatch.setattr(os, "fsync", lambda file: (_ for _ in ()).throw(OSError(errno.ENOSPC, os.strerror(28))))
    with pytest.raises(OSError, match="No space left"):
        write_whole(tmp_path / "page.html", "later")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"page.html": "earlier"}


def test_only_regular_files_are_replaced(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        write_whole(tmp_path / "pipe", "text")
    assert (tmp_path / "pipe").is_fifo()


# The page


@pytest.mark.parametrize("make", [full_report, empty_report, exact_report])
def test_every_section_is_there_in_order(make):
    page = Page(render_report(make()))
    ids = page.values("id")
    assert [name for name in ids if name in SECTIONS] == SECTIONS
    assert [name for name in ids if name.endswith("-heading")] == [f"{name}-heading" for name in SECTIONS]
    assert "images" in ids and ids.index("verdict") < ids.index("exactness")


def test_sections_without_input_say_so():
    html = render_report(empty_report())
    parts = dict(zip(SECTIONS, re.split(r'<section id="', html)[1:], strict=True))
    assert all('class="missing"' in part for part in parts.values())
    text = Page(html).text
    for said in (
        "No two stages were compared", "No stage was run", "this run has no trace", "the images have no labels",
        "Not shown.", "no synthesis and no cost model", "another-board is not among the boards",
        "the run counted no tables and weights", "no synthesis and no timed simulation",
        "this run had no timed simulation", "HLS C++: not synthesised",
        "carries no ranges", "knows no linear layer", "started from a QONNX file", "not run from a git checkout",
        "No hashes were recorded", "no vendor tool was run",
    ):  # fmt: skip
        assert said in text
    assert "<svg" not in html


@pytest.mark.parametrize(
    "key, section, said",
    [
        ("resources", "fit", "LUT, FF, BRAM and DSP of the design are not known"),
        ("synthesis", "fit", "no vendor tool was run"),
        ("timing", "speed", "Throughput and latency are not known"),
        ("classes", "accuracy", "Confusion matrix Not known"),
        ("trace", "exactness", "Not searched for"),
    ],
)
def test_one_missing_input_leaves_the_rest(key: str, section: str, said: str):
    whole, partial = render_report(full_report()), render_report(full_report() | {key: None})
    assert said in Page(partial).text and said not in Page(whole).text
    # The cycles stand beside those of synthesis, too, and both sections say whether the C++ was synthesised.
    shared = {("timing", "fit"), ("synthesis", "speed")}
    others = [name for name in SECTIONS if name != section and (key, name) not in shared]

    def cut(html: str, name: str) -> str:
        return html[html.index(f'<section id="{name}"') :].split("</section>")[0]

    unchanged = [name for name in others if cut(whole, name) == cut(partial, name)]
    assert unchanged == others


def test_without_a_cost_model_the_counted_is_shown():
    text = Page(render_report(full_report() | {"resources": None, "timing": None, "synthesis": None})).text
    for said in ("53,200", "106,400", "140", "xc7z020clg400-1", "66", "4,608", "counted"):
        assert said in text.replace(formatting.GAP, " ")


def test_a_board_of_ones_own_is_shown():
    target = dataclasses.replace(load_target("kv260"), name="mine")
    text = Page(render_report(empty_report() | {"target": "mine"}, target=target)).text
    assert "117,120" in text and "is not among the boards" not in text


def test_figures_of_the_full_report_are_on_the_page():
    text = Page(render_report(full_report())).text.replace(formatting.GAP, " ")
    for said in (
        "NOT EXACT", "43 logits of 7 images differ between qonnx and csim",
        "First at operator blocks_0_attn_softmax, token 5, channel 12, of image 17",
        "Expected code 31 , got -4", "in 7 of 100 images", "71.96 %", "107.9 %",
        "BRAM36, 149.5 of 140, measured by Vivado 2023.2", "measured by Vivado 2023.2 on 7z020-clg400, Routed",
        "measured by Vitis HLS 2023.2 on xc7z020-clg400-1", "137.931 measured 96.043 measured 100",
        "Timing is not met: worst slack -0.412 ns", "pot_linear_config2_U0/weights_U",
        "2,500.0 images/s with a latency of 0.83 ms, at 100 MHz (simulated, RTL)",
        "1,234", "25.0 %", "23 of 24 bits", "94 MiB",
        "measured, RTL", "simulated, RTL", "calibrated, RTL", "estimated, RTL",
        "HLS C++: synthesised by Vitis HLS 2023.2", "ab" * 32, "0123456789abcdef0123456789abcdef01234567",
        "python flows/build.py --trace",
    ):  # fmt: skip
        assert said in text, said


@pytest.mark.parametrize(
    "change, state, said",
    [
        ({}, "exact", "No logit differs between 4 stages, on up to 100 images."),
        ({"trace": None}, "exact", "No logit differs"),
        ({"comparisons": [], "mismatched_logits": {"a": None}}, "not known", "No two stages were compared."),
        ({"comparisons": [], "mismatched_logits": {"a": 3}}, "not exact", "Logits differ: a."),
        ({"trace": full_report()["trace"]}, "not exact", "First at operator blocks_0_attn_softmax"),
        ({"comparisons": full_report()["comparisons"], "trace": None}, "not exact", "build with --trace"),
    ],
)
def test_verdicts(change, state, said):
    report = exact_report() | change
    verdict = views.verdict(report)
    assert verdict.state == state and said in verdict.reason.replace(formatting.GAP, " ")
    assert Page(render_report(report)).text.count(state.upper()) >= 2  # in the title and in the headline


def test_a_difference_in_the_head_has_no_token():
    report = full_report()
    report["trace"]["first_difference"]["index"] = [3]
    assert "operator blocks_0_attn_softmax, channel 3, of image" in Page(render_report(report)).text


def test_every_comparison_is_in_the_matrix_once():
    report = full_report()
    found = views.exactness(report)
    assert found["columns"] == ["QONNX", "Hardware operators", "C-simulation"]
    cells = {
        (row["title"], column): cell["pair"]
        for row in found["rows"]
        for column, cell in zip(found["columns"], row["cells"], strict=True)
        if not cell["repeated"]
    }
    assert len(cells) == 6  # of four stages
    assert {key: pair["mismatched_logits"] for key, pair in cells.items() if pair} == {
        ("PyTorch", "QONNX"): 0,
        ("QONNX", "C-simulation"): 43,
        ("Hardware operators", "C-simulation"): 0,
    }


def test_hostile_names_are_text():
    report = full_report()
    kept = {"evidence", "design", "state", "kind", "format", "schema_version"}
    for place in list(places(report)):
        value = at(report, place)
        if isinstance(value, str) and place[-1] not in kept and place[:1] not in [("stages",), ("comparisons",)]:
            at(report, place[:-1])[place[-1]] = HOSTILE
    for stage in report["stages"]:
        stage["title"] = HOSTILE
    for path in ("seconds", "versions", "accuracy"):
        report[path] = {HOSTILE: max(report[path].values())}
    report["model"]["config"] = {HOSTILE: HOSTILE}
    report["provenance"] |= {"commit": None, "files": {HOSTILE: "ab" * 32}}
    check_report(report)
    html = render_report(report)
    page = Page(html)
    assert page.count("script") == 1 and "<script>alert" not in html and " 49 " not in page.text
    assert page.text.count("{{ 7 * 7 }}") > 20
    plain = Page(render_report(full_report()))
    assert {tag for tag, _ in page.tags} == {tag for tag, _ in plain.tags}
    assert not [key for _, attributes in page.tags for key in attributes if key.startswith("on")]


ODD_NAMES = ["\x00\x1b[31m", "a\nb", "名前", "$\\frac", "x" * 5000, "", '#0a0b04 url(#x) id="y"']


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_are_drawn(name: str):
    report = full_report()
    for layer in report["layers"]:
        layer["name"] = name
    for stretch in report["timing"]["timeline"]:
        stretch["process"] = name
    html = render_report(report)
    # Six plots, and the strips of one block and its one operator.
    assert Page(html).count("svg") == 6 + 2


def test_the_same_report_gives_the_same_page(tmp_path: Path):
    """In another process, with another seed of hashes and another configuration of matplotlib."""
    (tmp_path / "report.json").write_text(json.dumps(full_report()))
    (tmp_path / "matplotlibrc").write_text("font.size: 30\nsvg.fonttype: path\naxes.facecolor: red\n")
    code = (
        "import sys; from pathlib import Path; from flows.reporting.page import render_report\n"
        "from flows.reporting.schema import read_report\n"
        "sys.stdout.buffer.write(render_report(read_report(Path('report.json'))).encode())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
    )
    first = render_report(full_report())
    assert first == render_report(full_report()) == run.stdout.decode()
    assert not re.search(r"\b20\d\d-\d\d-\d\d", first)


def test_the_page_asks_nothing_of_a_network():
    images = wrong_images(np.zeros((1, 32, 32, 3), np.uint8), np.array([1]), np.eye(10)[:1])
    page = Page(render_report(full_report(), images))
    addresses = [*page.values("href"), *page.values("src")]
    assert all(address.startswith(("#", "data:")) for address in addresses) and len(addresses) > 10
    assert "http" not in "".join(map(str, page.tags)).replace("http-equiv", "")
    assert len(page.code) >= 2 and not re.search(r"@import|url\(|fetch|XMLHttp|//[a-z]", "".join(page.code))
    [policy] = [a["content"] for tag, a in page.tags if tag == "meta" and a.get("http-equiv")]
    assert policy.startswith("default-src 'none'; img-src data:; ")


def test_ids_are_unique_and_references_lead_somewhere():
    page = Page(render_report(full_report()))
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    used = {address[1:] for address in page.values("href") if address.startswith("#")}
    used |= set(page.values("aria-labelledby")) | set(re.findall(r"url\(#([^)]+)\)", str(page.tags)))
    assert used <= set(ids) and len(used) > 20


def test_plots_take_their_colours_from_the_theme():
    page = Page(render_report(full_report()))
    start = next(i for i, (tag, _) in enumerate(page.tags) if tag == "svg")
    styles = [attributes.get("style") or "" for _, attributes in page.tags[start:]]
    colours = re.findall(r"(?:fill|stroke): ([^;]+)", ";".join(styles))
    assert {colour for colour in colours if not colour.startswith("var(--")} == {"none"}
    style = (Path(views.__file__).parent / "templates" / "style.css").read_text()
    assert {colour[6:-1] for colour in colours if colour != "none"} <= set(re.findall(r"--([\w-]+):", style))


def test_plots_and_tables_are_accessible():
    page = Page(render_report(full_report()))
    # Six plots, and the strips of one block and its two operators.
    assert page.count("svg") == page.values("role").count("img") == 6 + 3
    assert page.count("table") == page.count("caption") and page.count("table") > 10
    assert all("scope" in attributes for tag, attributes in page.tags if tag == "th")
    assert [a["lang"] for tag, a in page.tags if tag == "html"] == ["en-GB"]


def test_the_largest_page_is_small_enough():
    images = wrong_images(
        np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), dtype=np.uint8),
        np.ones(12, int),
        np.eye(10)[[0] * 12],
    )
    assert len(images) == 12
    assert 400_000 < len(render_report(large_report(), images).encode()) <= 2 * 10**6


# Images


def test_images_are_shown_only_when_asked_for():
    report = full_report()
    assert "Not shown. --show-images" in Page(render_report(report)).text
    assert "There are none." in Page(render_report(report, [])).text
    assert "the images have no labels" in Page(render_report(report | {"classes": None}, [])).text
    assert Page(render_report(report)).count("img") == 0


def test_wrong_images_are_shown_with_both_names():
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    page = Page(render_report(full_report(), wrong_images(images, np.array([0, 3]), np.eye(10)[[0, 5]])))
    [image] = [attributes for tag, attributes in page.tags if tag == "img"]
    assert image["alt"] == "Image 1, cat, taken for dog"
    found = Image.open(io.BytesIO(base64.b64decode(image["src"].removeprefix("data:image/png;base64,"))))
    assert np.array_equal(np.asarray(found), images[1])


def test_the_worst_images_come_first():
    images = np.arange(6 * 3072, dtype=np.uint8).reshape(6, 32, 32, 3)
    logits = np.zeros((6, 10), np.float32)
    labels = np.array([1, 1, 1, 1, 1, 1])
    logits[[0, 2, 4, 5], 7] = [0.5, 3.0, 0.5, 2.0]
    logits[[1, 3], 1] = 1.0
    found = wrong_images(images, labels, logits, count=3)
    assert [(p.index, p.label, p.predicted, p.margin) for p in found] == [
        (2, 1, 7, 3.0),
        (5, 1, 7, 2.0),
        (0, 1, 7, 0.5),
    ]
    assert all(np.array_equal(p.image, images[p.index]) for p in found)
    assert len(wrong_images(images, labels, logits)) == 4 and wrong_images(images, None, logits) == []
