"""Holds the kernels to a small synthesizable subset of C++.

A lint of lines and words, no parser: it knows the style of the kernels in this project and refuses
what it does not know. ``python -m hls_projects.lint`` checks them all.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent
INCLUDES = frozenset({"fixed_point.h", "hls_stream.h", "ap_int.h"})

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
REFERENCE = re.compile(r"(?P<type>[\w>])(?:\s+&|&\s+|&)(?<!\s&\s)(?P<name>[A-Za-z_]\w*)\s*[,)]")
FOR = re.compile(r"\bfor\s*\(")
FOR_HEADER = re.compile(
    r"(?:int|unsigned)\s+(?P<name>\w+)\s*=\s*\d+\s*;"
    r"\s*(?P<tested>\w+)\s*<=?\s*(?P<bound>[^;]+);"
    r"\s*(?:(?P<post>\w+)\s*\+\+|\+\+\s*(?P<pre>\w+))\s*"
)
LABEL_LINE = re.compile(r"\s*[A-Z][A-Z0-9_]*:\s*")
CONSTANT = re.compile(r"\bconst\s+(?:unsigned|int)\s+(\w+)\s*=\s*([^;]+);")
TRAIT = re.compile(r"integer_traits<\w+>::width|CONFIG_T::\w+|\b\d+u?\b|[-+*/%()\s]")
PIPELINE = re.compile(r"#pragma HLS PIPELINE II ?= ?[1-9]\d*")
PLAIN_PRAGMA = re.compile(r"#pragma HLS (?:INLINE|UNROLL(?: factor ?= ?[1-9]\d*)?)")
FUNCTION = re.compile(r"\b(\w+)\s*\([^;{}]*\)\s*\{")


def kernels() -> list[Path]:
    """The headers that are synthesized."""
    return sorted([*ROOT.glob("operators/*/*.h"), ROOT / "kernels" / "fixed_point.h"])


def lint_kernel(path: Path) -> list[str]:
    """Findings as ``file:line: what``."""
    text = path.read_text()
    code = strip_comments(text)
    findings = [(1, "no include guard")] if not has_guard(code) else []
    for rule in (_includes, _words, _pointers, _loops, _pragmas, _recursion):
        findings += rule(code)
    return [f"{path}:{line}: {what}" for line, what in sorted(findings)]


def strip_comments(text: str) -> str:
    """Blanks for comments and, outside includes, strings; every line stays where it was."""

    def blank(match: re.Match[str]) -> str:
        return re.sub(r"[^\n]", " ", match.group())

    text = re.sub(r"//[^\n]*|/\*.*?\*/", blank, text, flags=re.DOTALL)
    return re.sub(r'^(?!\s*#\s*include).*"[^"\n]*"', blank_strings, text, flags=re.MULTILINE)


def blank_strings(match: re.Match[str]) -> str:
    return re.sub(r'"[^"\n]*"', '""', match.group())


def has_guard(code: str) -> bool:
    """``#ifndef X``, ``#define X`` first and ``#endif`` last."""
    lines = [line.strip() for line in code.splitlines() if line.strip()]
    if len(lines) < 3 or not lines[0].startswith("#ifndef "):
        return False
    return lines[1] == lines[0].replace("#ifndef", "#define") and lines[-1].startswith("#endif")


Finding = tuple[int, str]


def _includes(code: str) -> Iterator[Finding]:
    for match in re.finditer(r"^\s*#\s*include\s*(\S+)", code, flags=re.MULTILINE):
        if match.group(1) not in {f'"{name}"' for name in INCLUDES}:
            yield _line(code, match.start(1)), f"include of {match.group(1)}; allowed: {', '.join(sorted(INCLUDES))}"


def _words(code: str) -> Iterator[Finding]:
    for what, pattern in FORBIDDEN.items():
        for match in re.finditer(pattern, code):
            yield _line(code, match.start()), f"{what}: {match.group().strip()!r}"


def _pointers(code: str) -> Iterator[Finding]:
    """Array parameters and references to streams are the only way in and out."""
    for match in (*POINTER.finditer(code), *ADDRESS_OF.finditer(code)):
        yield _line(code, match.start()), f"pointer: {match.group().strip()!r}"
    for match in REFERENCE.finditer(code):
        if not re.search(r"\bhls::stream<[^<>]*>$", code[: match.end("type")]):
            yield _line(code, match.start()), f"reference to other than a stream: {match['name']!r}"


def _loops(code: str) -> Iterator[Finding]:
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
    """Names of local constants made of constants, in the order of the text."""
    names: set[str] = set()
    for match in CONSTANT.finditer(code):
        if _is_constant(match[2], names):
            names.add(match[1])
    return names


def _is_constant(expression: str, names: set[str]) -> bool:
    rest = TRAIT.sub("", expression)
    return not re.sub("|".join(rf"\b{name}\b" for name in sorted(names)) or r"(?!)", "", rest)


def _pragmas(code: str) -> Iterator[Finding]:
    for match in re.finditer(r"^\s*(#\s*pragma.*?)\s*$", code, flags=re.MULTILINE):
        if not (PIPELINE.fullmatch(match[1]) or PLAIN_PRAGMA.fullmatch(match[1])):
            yield _line(code, match.start(1)), f"pragma {match[1]!r} is not PIPELINE II = n, UNROLL or INLINE"


def _recursion(code: str) -> Iterator[Finding]:
    """A function that calls itself by name."""
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
    """Text between the bracket at ``start`` and its partner."""
    depth = 0
    for index in range(start, len(code)):
        depth += (code[index] == pair[0]) - (code[index] == pair[1])
        if depth == 0:
            return code[start + 1 : index]
    return code[start + 1 :]


def _line(code: str, position: int) -> int:
    return code.count("\n", 0, position) + 1


def _line_before(code: str, line: int) -> str:
    """The nearest line above that is not blank."""
    above = code.splitlines()[: line - 1]
    return next((text for text in reversed(above) if text.strip()), "")


def main() -> int:
    findings = [finding for path in kernels() for finding in lint_kernel(path)]
    print("\n".join(findings) or f"{len(kernels())} kernels are clean")
    return int(bool(findings))


if __name__ == "__main__":
    sys.exit(main())
