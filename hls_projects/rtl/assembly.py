"""A complete model in Verilog: the twins of its operators, joined as the generated C++ joins the kernels.

Every operator is an instance of its twin, every copy of a stream a ``stream_fork``, every FIFO a ``fifo`` of the
depth that the C++ has. The folder has the top module, the ``sources`` of all modules, the ``memories`` and
``files.f``, the list of the Verilog files for a tool's ``-f``. It needs no other file::

    verilator --lint-only -Wall --top-module vit -f files.f
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hls4ml.model.graph import ModelGraph
from hls4ml.model.layers import Input, Layer

from hls_projects import PROJECT
from hls_projects.dataflow.sizing import Depths
from hls_projects.errors import InputError
from hls_projects.names import is_identifier
from hls_projects.operators import HardwareOperator
from hls_projects.project.pipeline import CLONE, PORT_DEPTH
from hls_projects.templates import environment
from hls_projects.verilog.sources import sources
from hls_projects.verilog.twin import LIBRARY, Twin

TEMPLATES = Path(__file__).parent / "templates"
SOURCES, MEMORIES, FILES = "sources", "memories", "files.f"


@dataclass(frozen=True)
class Core:
    """The top module and its two streams.

    Args:
        name: of the module.
        source, sink: names of the FIFOs at its ports.
        in_elements, in_bits: codes of an input word, and bits of a code.
        out_elements, out_bits, out_signed: the same for the output, one word an image.
    """

    name: str
    source: str
    sink: str
    in_elements: int
    in_bits: int
    out_elements: int
    out_bits: int
    out_signed: bool


@dataclass(frozen=True)
class Fifo:
    name: str
    width: int
    depth: int


@dataclass(frozen=True)
class Fork:
    """A copy of the stream of FIFO ``source`` for each of the FIFOs ``copies``."""

    name: str
    width: int
    source: str
    copies: tuple[str, ...]


@dataclass(frozen=True)
class Instance:
    """An instance of an operator's twin.

    Args:
        name: of the layer.
        operator: the operator; twin: its module, parameters and memories.
        inputs: name of the FIFO at each input, by the stream's name.
        output: name of the FIFO that it writes.
    """

    name: str
    operator: HardwareOperator
    twin: Twin
    inputs: dict[str, str]
    output: str

    @property
    def prefix(self) -> str:
        """Prefix of the names of its memories' files."""
        return f"{self.name}_"

    @property
    def folder(self) -> Path:
        """Folder of its module."""
        return self.operator.verilog_folder()

    @property
    def module(self) -> str:
        return self.twin.module

    @property
    def parameters(self) -> dict[str, int | str]:
        """Values of its parameters by name, as Verilog text: integers and quoted paths."""
        files = self.twin.files(f"{MEMORIES}/{self.prefix}")
        return dict(self.twin.parameters) | {name: f'"{path}"' for name, path in files.items()}


@dataclass(frozen=True)
class Assembly:
    """All parts of a complete model."""

    core: Core
    fifos: tuple[Fifo, ...]
    forks: tuple[Fork, ...]
    instances: tuple[Instance, ...]

    @classmethod
    def of(cls, graph: ModelGraph, depths: Depths) -> Assembly:
        """Make the parts for the layers of ``graph``.

        Args:
            depths: of all FIFOs except those at the core's ports, which have a fixed one.

        Raises:
            InputError: a layer without a twin, or one of a type or folding that its twin lacks; a FIFO
                without a depth; a name that Verilog does not allow.
        """
        layers = list(graph.get_layers())
        (source,), (sink,) = graph.get_input_variables(), graph.get_output_variables()
        ports = {source.name: PORT_DEPTH, sink.name: PORT_DEPTH}
        variables = [variable for layer in layers for variable in layer.variables.values()]
        fifos = tuple(Fifo(v.name, _width(v), _depth(v.name, ports | depths)) for v in variables)
        clones = [layer for layer in layers if layer.class_name == CLONE]
        operators = [layer for layer in layers if layer not in clones and not isinstance(layer, Input)]
        core = Core(
            PROJECT, source.name, sink.name,
            int(source.shape[-1]), source.type.precision.width,
            int(sink.shape[-1]), sink.type.precision.width, bool(sink.type.precision.signed),
        )  # fmt: skip
        found = cls(core, fifos, tuple(map(_fork, clones)), tuple(map(_instance, operators)))
        found.check_names()
        return found

    def check_names(self) -> None:
        """Raise InputError for a name that Verilog does not allow, or that two parts share."""
        parts = [*self.fifos, *self.forks, *self.instances]
        named = [part.name for part in parts]
        wrong = [name for name in named if not is_identifier(name, generated=True) or named.count(name) > 1]
        if wrong:
            raise InputError(f"{wrong[0]!r} is not a name in Verilog, or two parts have it")

    def sources(self) -> list[Path]:
        """Files of all modules but the top one."""
        folders = {"fifo": LIBRARY, "stream_fork": LIBRARY}
        folders |= {instance.module: instance.folder for instance in self.instances}
        return sorted({path for module, folder in folders.items() for path in sources(module, folder)})

    def top(self) -> str:
        """The text of the top module."""
        template = environment(TEMPLATES).get_template("core.v.j2")
        return template.render(core=self.core, fifos=self.fifos, forks=self.forks, twins=self.instances)


def write_rtl(graph: ModelGraph, depths: Depths, folder: Path) -> Assembly:
    """Write the Verilog of ``graph`` into ``folder``, which is made, or emptied of an earlier one.

    Raises:
        InputError: as of :meth:`Assembly.of`; nothing is written.
    """
    assembly = Assembly.of(graph, depths)
    files = {f"{assembly.core.name}.v": assembly.top()}
    files |= {f"{SOURCES}/{path.name}": path.read_text() for path in assembly.sources()}
    files[FILES] = "".join(f"{name}\n" for name in files)
    for part in (SOURCES, MEMORIES):
        shutil.rmtree(folder / part, ignore_errors=True)
        (folder / part).mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    for instance in assembly.instances:
        instance.twin.write_memories(folder / MEMORIES, instance.prefix)
    return assembly


def _fork(layer: Layer) -> Fork:
    source = layer.get_input_variable()
    return Fork(layer.name, _width(source), source.name, tuple(v.name for v in layer.variables.values()))


def _instance(layer: Layer) -> Instance:
    operator = layer.get_attr("operator")
    if operator is None:
        raise InputError(f"layer {layer.name} is a {layer.class_name}, which has no twin in Verilog")
    try:
        twin = operator.twin()
    except (NotImplementedError, ValueError) as error:
        raise InputError(f"layer {layer.name}: {error}") from error
    names = [layer.get_input_variable(name).name for name in layer.inputs]
    return Instance(layer.name, operator, twin, _ports(names), layer.get_output_variable().name)


def _ports(fifos: Sequence[str]) -> dict[str, str]:
    """Names of the FIFOs by the input streams that read them: ``in``, or ``in0`` and so on."""
    return {"in": fifos[0]} if len(fifos) == 1 else {f"in{index}": name for index, name in enumerate(fifos)}


def _width(variable) -> int:  # noqa: ANN001
    """Bits of a word of a tensor's stream."""
    return int(variable.shape[-1]) * variable.type.precision.width


def _depth(name: str, depths: Depths) -> int:
    if name not in depths:
        raise InputError(f"FIFO {name} has no depth")
    return int(depths[name])
