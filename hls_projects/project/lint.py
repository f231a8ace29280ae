"""Lint of the kernels: they may use a small synthesizable subset of C++ only.

It matches lines and words and is no parser: it knows the style of the kernels in this project, and reports what it does
not know. ``python -m hls_projects.project.lint`` checks all kernels.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from hls_projects import SHARED_HEADERS

ROOT = Path(__file__).parents[1]
HEADERS = ("hls_stream.h", "ap_int.h", *(path.name for path in SHARED_HEADERS))
INCLUDES = frozenset({"<hls_streamofblocks.h>", *(f'"{name}"' for name in HEADERS)})
LIBRARY = frozenset({"stream", "stream_of_blocks", "read_lock", "write_lock"})

FORBIDDEN = {
    "heap": r"\b(?:new|delete|malloc|calloc|realloc|free)\b",
    "standard library": r"\bstd\s*::|\busing\s+namespace\b",
    "floating point": r"\b(?:float|double|half)\b|(?<![\w.])(?:\d+\.\d*|\.\d+|\d+[eE][-+]?\d+)",
    "dynamic dispatch or exception": r"\b(?:virtual|throw|try|catch|dynamic_cast|typeid)\b",
    "function pointer": r"\(\s*(?:\w+::)?\*\s*\w*\s*\)\s*\(",
    "unbounded control flow": r"\b(?:while|do|goto)\b",
    "text output": r"\b(?:s?n?printf|fprintf|puts|cout|cerr|iostream)\b",
}
POINTER = re.compile(
    r"(?:\b(?:int|unsigned|bool|char|short|long|void|auto|const)|_t|_T|>)\s*\*+(?!=)"
    r"\s*(?:const\b\s*)?(?:\w+\s*[,;=)\[]|[,)>])"
)
ADDRESS_OF = re.compile(r"(?:^|[=(,?:]|\breturn\b)\s*&\s*\w")
# A binary "&" has blanks on both sides, a reference at most on one.
STREAM = re.compile(r"\bhls::stream(?:<[^<>]*>|_of_blocks<(?:[^<>]|<[^<>]*>)*>)$")
REFERENCE = re.compile(r"(?P<type>[\w>])(?:\s+&|&\s+|&)(?<!\s&\s)(?P<name>[A-Za-z_]\w*)\s*[,)]")
FOR = re.compile(r"\bfor\s*\(")
FOR_HEADER = re.compile(
    r"(?:int|unsigned)\s+(?P<name>\w+)\s*=\s*\d+\s*;"
    r"\s*(?P<tested>\w+)\s*<=?\s*(?P<bound>[^;]+);"
    r"\s*(?:(?P<post>\w+)\s*\+\+|\+\+\s*(?P<pre>\w+))\s*"
)
LABEL_LINE = re.compile(r"\s*[A-Z][A-Z0-9_]*:\s*")
CONSTANT = re.compile(r"\bconst\s+(?:unsigned|int)\s+(\w+)\s*=\s*([^;]+);")
TRAIT = re.compile(r"integer_traits<\w+>::width|(?<![\w.:])CONFIG_T::\w+|\b\d+u?\b|<<|==|[-+*/%?:()\s]")
MEMBER = re.compile(r"\b(\w+)<CONFIG_T>::(\w+)")
STRUCT = re.compile(r"\btemplate <typename CONFIG_T> struct (\w+) \{")
TEMPLATE = re.compile(r"\btemplate\s*<(?P<parameters>[^<>]*)>")
PARAMETER = re.compile(r"(?:unsigned|bool)\s+(\w+)")
VARIABLE = re.compile(r"(?<!\bconst )\b(?:unsigned|int|bool)\s+(\w+)")
BLOCK = re.compile(r"\bhls::(?:stream_of_blocks|read_lock|write_lock)\s*<(?P<block>(?:[^<>]|<[^<>]*>)*)>")
BLOCK_TYPE = re.compile(r"(?:typename )?\w+(?:::\w+)?\[(?P<size>.+)\]", flags=re.DOTALL)
PRAGMAS = (
    re.compile(r"#pragma HLS PIPELINE II ?= ?(?P<factor>\w+)"),
    re.compile(r"#pragma HLS (?:INLINE|DATAFLOW)"),
    re.compile(r"#pragma HLS UNROLL(?: factor ?= ?(?P<factor>\w+|CONFIG_T::\w+))?"),
    re.compile(r"#pragma HLS ARRAY_PARTITION variable=(?P<array>\w+) complete"),
    re.compile(r"#pragma HLS ARRAY_RESHAPE variable=(?P<array>\w+) cyclic factor=(?P<factor>\w+|CONFIG_T::\w+)"),
)
FUNCTION = re.compile(r"\b(\w+)\s*\([^;{}]*\)\s*\{")
DATAFLOW = re.compile(r"^#pragma HLS DATAFLOW\s*$", flags=re.MULTILINE)
CALL = "PIPELINE_PROCESS"
REGION_STATEMENT = re.compile(rf"typedef\b.*|const unsigned\b.*|hls::stream(?:_of_blocks)?<.*|{CALL}\(.*\)", re.DOTALL)


def kernels() -> list[Path]:
    """Headers of all kernels."""
    return sorted([*ROOT.glob("operators/*/*.h"), *SHARED_HEADERS])


def lint_kernel(path: Path) -> list[str]:
    """Findings in a header as ``file:line: what``."""
    text = path.read_text()
    code = strip_comments(text)
    findings = [(1, "no include guard")] if not has_guard(code) else []
    for rule in (_includes, _words, _library, _pointers, _loops, _pragmas, _regions, _recursion):
        findings += rule(code)
    return [f"{path}:{line}: {what}" for line, what in sorted(findings)]


def strip_comments(text: str) -> str:
    """``text`` with blanks instead of comments and, outside includes, of strings; line numbers stay the same."""

    def blank(match: re.Match[str]) -> str:
        return re.sub(r"[^\n]", " ", match.group())

    text = re.sub(r"//[^\n]*|/\*.*?\*/", blank, text, flags=re.DOTALL)
    return re.sub(r'^(?!\s*#\s*include).*"[^"\n]*"', blank_strings, text, flags=re.MULTILINE)


def blank_strings(match: re.Match[str]) -> str:
    return re.sub(r'"[^"\n]*"', '""', match.group())


def has_guard(code: str) -> bool:
    """Whether ``#ifndef X`` and ``#define X`` come first and ``#endif`` last."""
    lines = [line.strip() for line in code.splitlines() if line.strip()]
    if len(lines) < 3 or not lines[0].startswith("#ifndef "):
        return False
    return lines[1] == lines[0].replace("#ifndef", "#define") and lines[-1].startswith("#endif")


Finding = tuple[int, str]


def _includes(code: str) -> Iterator[Finding]:
    for match in re.finditer(r"^\s*#\s*include\s*(\S+)", code, flags=re.MULTILINE):
        if match.group(1) not in INCLUDES:
            yield _line(code, match.start(1)), f"include of {match.group(1)}; allowed: {', '.join(sorted(INCLUDES))}"


def _words(code: str) -> Iterator[Finding]:
    for what, pattern in FORBIDDEN.items():
        for match in re.finditer(pattern, code):
            yield _line(code, match.start()), f"{what}: {match.group().strip()!r}"


def _library(code: str) -> Iterator[Finding]:
    """Find parts of ``hls`` other than streams, and blocks of a size that is not constant."""
    constants = _constants(code)
    for match in re.finditer(r"\bhls\s*::\s*(\w+)", code):
        if match[1] not in LIBRARY:
            yield _line(code, match.start()), f"hls::{match[1]} is none of {', '.join(sorted(LIBRARY))}"
    for match in BLOCK.finditer(code):
        block = BLOCK_TYPE.fullmatch(match["block"])
        if block is None or not _is_constant(block["size"], constants):
            yield _line(code, match.start()), f"block {match['block']!r} is not an array of constant size"


def _pointers(code: str) -> Iterator[Finding]:
    """Find pointers, and references to anything but streams; parameters are arrays and streams."""
    for match in (*POINTER.finditer(code), *ADDRESS_OF.finditer(code)):
        yield _line(code, match.start()), f"pointer: {match.group().strip()!r}"
    for match in REFERENCE.finditer(code):
        if not STREAM.search(code[: match.end("type")]):
            yield _line(code, match.start()), f"reference to other than a stream: {match['name']!r}"


def _loops(code: str) -> Iterator[Finding]:
    """Find loops without a label, of another form, or with a bound that is not constant."""
    constants = _constants(code)
    for match in FOR.finditer(code):
        line = _line(code, match.start())
        if not LABEL_LINE.fullmatch(_line_before(code, line)):
            yield line, "for loop without a label on the line before"
        header = FOR_HEADER.fullmatch(_parentheses(code, match.end() - 1))
        if header is None:
            yield line, "for loop not of the form for (unsigned i = 0; i < bound; i++)"
            continue
        if {header["name"]} != {header["tested"], header["post"] or header["pre"]}:
            yield line, "for loop that tests or counts another variable"
        if not _is_constant(header["bound"], constants):
            yield line, f"loop bound {header['bound'].strip()!r} is not constant"


def _constants(code: str) -> set[str]:
    """Names that are constants wherever they are declared.

    They are local constants made of constants, parameters of templates, and members of the templates in the shared
    headers and in ``code``. A name that is anywhere a variable is not one.
    """
    names = _members("\n".join([*(strip_comments(path.read_text()) for path in SHARED_HEADERS), code]))
    for match in TEMPLATE.finditer(code):
        parts = (PARAMETER.fullmatch(part.strip()) for part in match["parameters"].split(","))
        names |= {part[1] for part in parts if part}
    for match in CONSTANT.finditer(code):
        if _is_constant(match[2], names):
            names.add(match[1])
    return names - set(VARIABLE.findall(TEMPLATE.sub("", code)))


def _members(code: str) -> set[str]:
    """Constant members of the templates in ``code``, as ``name<CONFIG_T>::member``."""
    found: set[str] = set()
    for match in STRUCT.finditer(code):
        own: set[str] = set()
        for constant in CONSTANT.finditer(_braces(code, match.end() - 1)):
            if _is_constant(constant[2], found | own):
                own.add(constant[1])
        found |= {f"{match[1]}<CONFIG_T>::{name}" for name in own}
    return found


def _is_constant(expression: str, names: set[str]) -> bool:
    """Whether ``expression`` is made of literals, operators, ``CONFIG_T`` and ``names`` only."""
    without_members = MEMBER.sub(lambda match: " " if match[0] in names else "$", expression)
    rest = TRAIT.sub(" ", without_members)
    return set(rest.split()) <= names


def _pragmas(code: str) -> Iterator[Finding]:
    constants = _constants(code)
    for match in re.finditer(r"^\s*(#\s*pragma.*?)\s*$", code, flags=re.MULTILINE):
        line = _line(code, match.start(1))
        found = next((found for found in (pragma.fullmatch(match[1]) for pragma in PRAGMAS) if found), None)
        if found is None:
            yield line, f"pragma {match[1]!r} is none of those that are known"
            continue
        values = found.groupdict()
        if (factor := values.get("factor")) and (factor == "0" or not _is_constant(factor, constants)):
            yield line, f"pragma {match[1]!r}: factor {factor!r} is not constant"
        if (array := values.get("array")) and not re.search(rf"\w\s+{array}\[", code):
            yield line, f"pragma {match[1]!r}: {array!r} is no array"


def _regions(code: str) -> Iterator[Finding]:
    """Find statements in dataflow regions other than declarations and process calls, and such calls elsewhere."""
    regions = [(match.end(), _end(code, match.end())) for match in DATAFLOW.finditer(code)]
    for start, end in regions:
        position = start
        for statement in code[start:end].split(";"):
            if statement.strip() and not REGION_STATEMENT.fullmatch(statement.strip()):
                line = _line(code, position + len(statement) - len(statement.lstrip()))
                yield line, f"{statement.strip()!r} is no declaration and no {CALL} in a dataflow region"
            position += len(statement) + 1
    for match in re.finditer(rf"^[^#\n]*\b{CALL}\b", code, flags=re.MULTILINE):
        if not any(start <= match.start() < end for start, end in regions):
            yield _line(code, match.start()), f"{CALL} outside a dataflow region"


def _recursion(code: str) -> Iterator[Finding]:
    """Find functions that call themselves by name."""
    for match in FUNCTION.finditer(code):
        name = match[1]
        body = _braces(code, match.end() - 1)
        call = re.search(rf"\b{name}\s*(?:<[^;{{}}]*>)?\s*\(", body)
        if name not in {"if", "for", "switch"} and call:
            yield _line(code, match.end() + call.start()), f"{name} calls itself"


def _parentheses(code: str, start: int) -> str:
    return _enclosed(code, start, "()")


def _braces(code: str, start: int) -> str:
    return _enclosed(code, start, "{}")


def _enclosed(code: str, start: int, pair: str) -> str:
    """Text between the bracket at ``start`` and the one that closes it."""
    depth = 0
    for index in range(start, len(code)):
        depth += (code[index] == pair[0]) - (code[index] == pair[1])
        if depth == 0:
            return code[start + 1 : index]
    return code[start + 1 :]


def _end(code: str, start: int) -> int:
    """Index of the brace that closes the block around ``start``."""
    depth = 1
    for index in range(start, len(code)):
        depth += (code[index] == "{") - (code[index] == "}")
        if depth == 0:
            return index
    return len(code)


def _line(code: str, position: int) -> int:
    return code.count("\n", 0, position) + 1


def _line_before(code: str, line: int) -> str:
    """The nearest line above that is not blank."""
    above = code.splitlines()[: line - 1]
    return next((text for text in reversed(above) if text.strip()), "")


def main() -> int:
    """Print findings; returns the exit status."""
    findings = [finding for path in kernels() for finding in lint_kernel(path)]
    print("\n".join(findings) or f"{len(kernels())} kernels are clean")
    return int(bool(findings))


if __name__ == "__main__":
    sys.exit(main())
