"""Text of a file goes nowhere as code: not into C++, Verilog, Tcl, imports or paths. HTML: tests of the report."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState, create_trial
from qonnx.core.modelwrapper import ModelWrapper

from brevitas_model.export import export
from brevitas_model.tidying import tidy_up
from brevitas_model.training.recipe import load_recipe
from brevitas_model.training.run import start_digest
from flows.ranking.ranking import load_models
from flows.searching.ledger import folder_of
from hls_projects import PROJECT
from hls_projects.board import write_scripts, write_top
from hls_projects.errors import InputError
from hls_projects.graphs.qonnx_file import check_tidy, read_qonnx, read_tidy, run_images
from hls_projects.lowering import lower
from hls_projects.project import pipeline
from hls_projects.project.conversion import make_graph, read_lowered, write_project
from hls_projects.rtl.assembly import write_rtl
from hls_projects.simulation import NATIVE, compile_programs, simulate_native
from hls_projects.targets import Target, load_target
from tests.support.models import noise, random_model, tiny_config

MARK = "evil"
HOSTILE = (
    f'x"); system("touch {MARK}"); //',
    f"x\n#include <{MARK}>\n",
    f"x */ {MARK}() /*",
    f"[exec touch {MARK}]",
    f"$(touch {MARK})",
    f'`include "{MARK}" endmodule',
    f"../../{MARK}",
    f"{{% {MARK} %}}{{{{ {MARK} }}}}",
    "int",
    "",
)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> onnx.ModelProto:
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    return export(random_model(tiny_config()), path).model


def renamed(model: onnx.ModelProto, every_name: bool = True) -> onnx.ModelProto:
    """A copy whose names are all hostile, in turn, and valid: no value has the name of another, or none."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    values = [name for node in graph.node for name in (*node.input, *node.output) if name]
    texts = [text for text in HOSTILE if text]
    names = {name: f"{texts[index % len(texts)]}{index or ''}" for index, name in enumerate(dict.fromkeys(values))}
    for index, node in enumerate(graph.node):
        node.name, node.doc_string = HOSTILE[index % len(HOSTILE)], HOSTILE[0]
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names[name] for name in node.output]
    for item in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
        item.name = names.get(item.name, item.name)
    del graph.quantization_annotation[:]
    graph.name = made.producer_name = made.doc_string = graph.doc_string = HOSTILE[0]
    return made


def texts_in(folder: Path) -> dict[str, str]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_text(errors="replace") for path in paths}


def test_names_of_a_graph(exported: onnx.ModelProto, tmp_path: Path):
    """They build, give the logits of the same graph with plain names, and none of their text is code."""
    (tmp_path / "hostile.onnx").write_bytes(renamed(exported).SerializeToString())
    tidy = tidy_up(read_qonnx(tmp_path / "hostile.onnx", (32, 32, 3)))
    check_tidy(tidy)
    lowered = lower(tidy)
    lowered.save(str(tmp_path / "lowered.onnx"))
    read_lowered(tmp_path / "lowered.onnx")
    made = tmp_path / "made"
    graph = make_graph(tmp_path / "lowered.onnx", load_target("pynq-z2"), made / "hls")
    network = pipeline.network(graph)
    depths = {fifo.name: network.words[fifo.name] for fifo in network.sizable}
    write_project(graph, made / "hls", depths)
    write_top(graph, made / "hls")
    write_scripts(load_target("pynq-z2"), made / "vendor")
    write_rtl(graph, depths, made / "rtl")
    signs = (f"{MARK}(", f'"{MARK}', f"<{MARK}", f"touch {MARK}", f"../{MARK}", f"*/ {MARK}")
    found = [(name, sign) for name, text in texts_in(made).items() for sign in signs if sign in text]
    assert not found and f"void {PROJECT}(" in (made / "hls" / "firmware" / f"{PROJECT}.cpp").read_text()
    compile_programs(made / "hls", [NATIVE])
    images = noise(2)
    (tmp_path / "csim").mkdir()
    codes, _ = simulate_native(made / "hls", tmp_path / "csim", images, 10, lambda done: None)
    np.testing.assert_array_equal(codes, run_images(lower(ModelWrapper(exported)), images))
    assert not list(tmp_path.rglob(MARK))


def test_a_lowered_graph_has_identifiers(exported: onnx.ModelProto, tmp_path: Path):
    lowered = lower(ModelWrapper(exported)).model
    for text in HOSTILE:
        for place in (lowered.graph.node[3], lowered.graph.input[0]):
            made = onnx.ModelProto()
            made.CopyFrom(lowered)
            port = place is lowered.graph.input[0]
            (made.graph.input[0] if port else made.graph.node[3]).name = text
            made.graph.node[0].input[0] = made.graph.input[0].name
            (tmp_path / "lowered.onnx").write_bytes(made.SerializeToString())
            with pytest.raises(InputError, match=r"is not one of a lowered graph|has no name"):
                read_lowered(tmp_path / "lowered.onnx")


@pytest.mark.parametrize("domain", [f"{MARK}_module", "this", "os", "hls_projects", "hls_projects.operators.base", "."])
@pytest.mark.parametrize("op_type", ["PotLinear", "HardwareOperator", "Quant"])
def test_nothing_is_imported(
    exported: onnx.ModelProto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, domain: str, op_type: str
):
    (tmp_path / f"{MARK}_module.py").write_text(f"from pathlib import Path\nPath({str(tmp_path / MARK)!r}).touch()\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    lowered = lower(ModelWrapper(exported)).model
    for model, read in ((lowered, read_lowered), (exported, read_tidy)):
        made = onnx.ModelProto()
        made.CopyFrom(model)
        made.graph.node[2].domain, made.graph.node[2].op_type = domain, op_type
        made.opset_import.append(helper.make_opsetid(domain, 1))
        (tmp_path / "model.onnx").write_bytes(made.SerializeToString())
        with pytest.raises(InputError, match="is not supported"):
            read(tmp_path / "model.onnx")
    assert "this" not in set(sys.modules) - before and not (tmp_path / MARK).exists()


@pytest.mark.parametrize("text", [text for text in HOSTILE if text])
def test_scripts_of_a_hostile_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str):
    """The schema refuses such a target; even so, a Tcl interpreter takes its text for one word."""
    tkinter = pytest.importorskip("tkinter", reason="needs Tcl: apt-get install python3-tk")
    target = Target(
        name=text, part=f"xc7z{text}", board_part=text, clock_mhz=100.0, resources={}, memory_width_bits=16,
        memory_megatransfers=1.0, stream_width_bits=64,
    )  # fmt: skip
    monkeypatch.setenv("HLS_STEPS", "")
    monkeypatch.chdir(tmp_path)
    assert write_scripts(target, tmp_path) == ["hls.tcl", "vivado.tcl"]
    component = tmp_path / "vit_axi_prj" / "solution1" / "impl" / "ip" / "component.xml"
    component.parent.mkdir(parents=True)
    component.touch()
    for script, given in (("hls.tcl", ["set_part"]), ("vivado.tcl", ["create_project", "get_board_parts"])):
        tcl = tkinter.Tcl()
        calls: list[tuple[str, ...]] = []
        tcl.createcommand("recorded", lambda *words, calls=calls: calls.append(words) or "x")
        tcl.eval("proc unknown args { recorded {*}$args }; foreach name {exec exit glob} { catch { rename $name {} } }")
        tcl.eval("catch { source " + script + " }")
        words = [word for call in calls if call[0] in given for word in call]
        assert target.part in words or target.board_part in words
        assert not [call for call in calls if call[0] in ("exec", "touch", MARK)]
    assert not (tmp_path / MARK).exists()


@pytest.mark.parametrize("key", ["part", "board_part"])
@pytest.mark.parametrize("text", [*HOSTILE, "a b", "a\n", "a;b"])
def test_the_schema_of_targets(tmp_path: Path, key: str, text: str):
    shipped = (Path(sys.modules["hls_projects.targets"].__file__).parent / "pynq-z2.toml").read_text()
    value = {"part": "xc7z020clg400-1", "board_part": "tul.com.tw:pynq-z2:part0:1.0"}[key]
    given = text if key == "part" else f"tul.com.tw:{text}:part0:1.0"
    if key == "part" and text == "int":
        return  # letters only; a tool says that there is no such part
    if key == "board_part" and text == "int":
        return
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in given)
    (tmp_path / "mine.toml").write_text(shipped.replace(value, escaped))
    with pytest.raises(InputError, match=f"key '{key}'"):
        load_target(str(tmp_path / "mine.toml"))


@pytest.mark.parametrize("name", ["a b", "[exit]", "-x", "a;b", "é", "$x"])
def test_the_name_of_a_target_file(tmp_path: Path, name: str):
    (tmp_path / f"{name}.toml").write_text("")
    with pytest.raises(InputError, match="rename the file"):
        load_target(str(tmp_path / f"{name}.toml"))


@pytest.mark.parametrize("name", ["../../../../X", "/X", "..", ".", "a/b", "-x", "", "a\0b", 7, None])
def test_a_folder_that_a_study_names(name: object):
    trial = create_trial(
        state=TrialState.RUNNING, params={"depth": 2}, distributions={"depth": CategoricalDistribution([2])},
        user_attrs={"folder": name},
    )  # fmt: skip
    with pytest.raises(InputError, match="names the folder"):
        folder_of(trial)


@pytest.mark.parametrize("name", ["../../../../X", "/X", "..", "a/b"])
def test_a_folder_that_a_file_of_models_names(tmp_path: Path, name: str):
    (tmp_path / "models.toml").write_text(f'["{name}"]\ndepth = 2\n')
    with pytest.raises(InputError, match="names a folder"):
        load_models(tmp_path / "models.toml", load_recipe(Path("vit-float")))


@pytest.mark.parametrize("start", ["/dev/zero", "fifo", ".", "a\\u0000b"])
def test_a_start_that_has_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: str):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("fifo")
    recipe = load_recipe(Path("vit-float"), [f'start="{start}"'])
    with pytest.raises(InputError, match="cannot be read"):
        start_digest(recipe)
