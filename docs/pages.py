"""Pages that mkdocs makes of the code and of files beside ``docs``, so that they cannot say anything else.

A hook of mkdocs (``hooks`` in mkdocs.yml). Every hardware operator gets a page from its class, and from the first
node of its kind in the lowered graph of the shipped checkpoint, with its layers merged.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from qonnx.custom_op.registry import getCustomOp

from flows.building.cached_graphs import lowered_graph
from flows.command_line.options import SHIPPED_CHECKPOINT
from hls_projects.cost import KINDS
from hls_projects.folding.choices import Choice, choices
from hls_projects.lowering.merging import merged
from hls_projects.operators import OPERATORS, HardwareOperator

ROOT = Path(__file__).parents[1]
BESIDE = {"security.md": "SECURITY.md", "changelog.md": "CHANGELOG.md", "contributing.md": "CONTRIBUTING.md"}
LINKS = {"](README.md)": "](index.md)", "](docs/": "](", "](SECURITY.md)": "](security.md)"}
ROWS = 6
# What the base class says of attributes of folding.
OF_THE_BASE = {
    "parallel_heads": "heads that are worked on in parallel",
    "parallel_keys": "keys that are worked on in parallel",
    "parallel_channels": "channels that are worked on in parallel",
    "packed": "1 where a DSP does two products",
}
NO_ATTRIBUTES = "It has none but those of its base."
COMMON = "Every node also has `in_dtypes` and `out_dtype`, the qonnx data types of its streams."


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Called by mkdocs."""
    for name, source in BESIDE.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        for link, page in LINKS.items():
            text = text.replace(link, page)
        files.append(File.generated(config, name, content=text))
    for name, text in pages().items():
        files.append(File.generated(config, name, content=text))
    return files


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Called by mkdocs: the operators' pages come under their overview."""
    entries = [{operator.__name__: page_name(operator)} for operator in OPERATORS]
    for item in config.nav:
        if isinstance(item, dict) and "Operators" in item:
            item["Operators"] = ["operators.md", *entries]
    return config


def page_name(operator: type[HardwareOperator]) -> str:
    """The path of its page in the site."""
    return f"operators/{re.sub('(?<!^)(?=[A-Z])', '-', operator.__name__).lower()}.md"


def pages() -> dict[str, str]:
    """Markdown by its path in the site."""
    model = merged(lowered_graph(SHIPPED_CHECKPOINT))
    examples: dict[str, HardwareOperator] = {}
    for node in model.graph.node:
        examples.setdefault(node.op_type, getCustomOp(node))
    made = {page_name(operator): page(operator, examples[operator.__name__]) for operator in OPERATORS}
    rows = [
        f"| [{operator.__name__}]({page_name(operator)}) | {_summary(operator)} | "
        f"{sum(node.op_type == operator.__name__ for node in model.graph.node)} |"
        for operator in OPERATORS
    ]
    return made | {"operators.md": "\n".join([*OVERVIEW, *rows, ""])}


OVERVIEW = [
    "# Operators",
    "",
    "Every operator computes on integer codes and streams its tensors. `requantize(value, shift)` is one rule",
    "everywhere: shift right with rounding half to even, then saturation to the type of the output. A value in",
    "real units is its code times a power of two, which the lowering keeps account of.",
    "",
    "Linear layers that read the same stream, as those of queries, keys and values, are one where that is not slower:",
    "it keeps the token and rounds the sums for all of them, and each of them is a slice of its outputs, which carry",
    "one code a cycle. `folding.json` has the layers that there are. The model is counted so.",
    "",
    "| Operator | What it computes | In the shipped model |",
    "|---|---|---:|",
]


def page(operator: type[HardwareOperator], example: HardwareOperator) -> str:
    """The specification of one operator; ``example`` is a node of it."""
    head, meanings = _docstring(operator)
    bases = (base for base in operator.__mro__ if base.__doc__ and issubclass(base, HardwareOperator))
    for told in (_docstring(base)[1] for base in bases):
        meanings = told | meanings
    meanings = OF_THE_BASE | meanings
    return "\n".join(
        [
            f"# {operator.__name__}", "", *head, "",
            "## Attributes", "", *_attributes(operator, example, meanings), "", COMMON, "",
            "## Shapes and types", "",
            f"Of `{example.onnx_node.name}`, the first in the shipped model; without the batch.", "",
            *_streams(example), "",
            "## Cost", "",
            "Of the same node, by its folding: cycles that its slowest stage works for an image, from `stages()`,",
            "and resources by the calibrated model of its Verilog twin. Foldings that another one beats or equals",
            "in everything are left out.", "", *_cost(example), "",
            "## Sources", "", *_sources(example), "",
        ]
    )  # fmt: skip


def _plain(text: str) -> str:
    """Markdown of the docstrings' markup."""
    return re.sub(r":\w+:`~?([^`]*)`", r"`\1`", text.replace("``", "`"))


def _summary(operator: type[HardwareOperator]) -> str:
    return _plain(inspect.getdoc(operator).split("\n\n")[0].replace("\n", " ")).replace("|", "\\|")


def _docstring(operator: type[HardwareOperator]) -> tuple[list[str], dict[str, str]]:
    """What stands before the attributes, and what it says of each of them."""
    head, _, listed = inspect.getdoc(operator).partition("\nAttributes:\n")
    meanings: dict[str, str] = {}
    joined = re.sub(r"\n {8,}", " ", listed)
    for entry in re.split(r"[;\n] *(?=\w+(?:, \w+)*: )", joined.strip()):
        names, found, meaning = entry.strip().partition(": ")
        if found:
            meanings |= dict.fromkeys(names.split(", "), _plain(meaning.split("\n\n")[0].strip()))
    return _plain(head).rstrip().splitlines(), meanings


def _attributes(operator: type[HardwareOperator], example: HardwareOperator, meanings: dict[str, str]) -> list[str]:
    kinds = dict.fromkeys(operator.sizes, "size") | dict.fromkeys(example.fold_attributes(), "folding")
    kinds |= dict.fromkeys(operator.arrays, "tensor")
    rows = []
    for name, kind in kinds.items():
        value = f"{example.array(name).shape}" if kind == "tensor" else example.get_nodeattr(name)
        rows.append(f"| `{name}` | {kind} | `{value}` | {meanings.get(name, '').replace('|', chr(92) + '|')} |")
    return ["| Name | Kind | Example | Meaning |", "|---|---|---|---|", *rows] if rows else [NO_ATTRIBUTES]


def _streams(example: HardwareOperator) -> list[str]:
    rows = [
        f"| `in{index}` | `{shape}` | {example.in_dtype(index).name} | {example.in_word(index)} |"
        for index, shape in enumerate(example.input_shapes())
    ]
    out = f"| `out` | `{example.output_shape()}` | {example.out_dtype.name} | {example.out_word()} |"
    inner = ", ".join(f"`{name}` {dtype.name}" for name, dtype in example.types().items())
    told = ["", f"Inside the kernel: {inner}."] if inner else []
    return ["| Stream | Shape | Type | Elements a word |", "|---|---|---|---:|", *rows, out, *told]


def _cost(example: HardwareOperator) -> list[str]:
    found = sorted(choices(example), key=lambda choice: -choice.cost.cycles)
    step = max(1, -(-(len(found) - 1) // (ROWS - 1)))
    shown = [*found[:-1:step], found[-1]]
    head = f"| Folding | Cycles | {' | '.join(KINDS)} |"
    return [head, "|---|---:|" + "---:|" * len(KINDS), *map(_cost_row, shown)]


def _cost_row(choice: Choice) -> str:
    told = " ".join(f"{name} {value}" for name, value in choice.folding.items()) or "-"
    counts = " | ".join(f"{value:,.1f}" if value % 1 else f"{value:,.0f}" for value in choice.cost.resources.values())
    return f"| {told} | {choice.cost.cycles:,} | {counts} |"


def _sources(example: HardwareOperator) -> list[str]:
    source = Path(inspect.getfile(type(example)))
    files = [example.header(), example.verilog_folder() / f"{example.twin().module}.sv", source]
    named = [path.resolve().relative_to(ROOT) for path in files if path.is_file()]
    tests = [path.relative_to(ROOT) for path in sorted(source.parent.glob("tests/test_*.py"))]
    return [f"- `{path}`" for path in dict.fromkeys([*named, *tests])]
