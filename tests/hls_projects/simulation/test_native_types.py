"""``native_types`` give what ``ap_types`` give, and both what python's integers give."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import pytest

from hls_projects import KERNELS
from tests.support.kernel_bench import AP_TYPES, HLS4ML, NATIVE_TYPES, BenchError, IntegerTypes, compile_cpp
from tests.support.operators import naive_round, naive_significand

SOURCE = Path(__file__).with_name("native_types_tb.cpp")
# As the simulation compiles them, where undefined behaviour would show as another result.
OPTIMIZED = IntegerTypes("optimized", (NATIVE_TYPES.flags[0], "-O2"))


class Number(NamedTuple):
    value: int
    width: int
    signed: bool

    def __str__(self) -> str:
        return f"{'s' if self.signed else 'u'}{self.width}:{self.value % 2**128:032x}"


def wrap(value: int, width: int, signed: bool) -> Number:
    """The number of this type that equals ``value`` modulo 2**width."""
    value %= 2**width
    return Number(value - 2**width if signed and value >> (width - 1) else value, width, signed)


def parse(text: str) -> Number:
    kind, bits = text.split(":")
    value = int(bits, 16)
    signed = kind[0] == "s"
    return Number(value - 2**128 if signed and value >> 127 else value, int(kind[1:]), signed)


def common_width(a: Number, b: Number) -> int:
    return max(a.width + (b.signed and not a.signed), b.width + (a.signed and not b.signed))


def boolean(value: bool) -> Number:
    return Number(int(value), 1, False)


def shifted(x: Number, by: Number, sign: int) -> Number:
    """To the left for ``sign`` 1; a distance of 32 bits or more is cut to 32."""
    distance = sign * (-1 if by.value < 0 else 1) * (abs(by.value) % 2**32)
    value = x.value << min(distance, 128) if distance >= 0 else x.value >> min(-distance, 128)
    return wrap(value, x.width, x.signed)


def chain(a: Number, b: Number, c: Number) -> Number:
    value = a.value
    for _ in range(5):
        value = (value + b.value * c.value - c.value) << 1
    return wrap(value, a.width, a.signed)


def in_chain(see: Callable[..., Number]) -> Callable[..., Number]:
    return lambda a, b, c, *rest: see(chain(a, b, c), b, c, *rest)


def negative(a: Number) -> Number:
    return wrap(-a.value, max(a.width, 1 + a.signed) + 1, True)


def product(a: Number, b: Number) -> Number:
    return wrap(a.value * b.value, a.width + b.width, a.signed or b.signed)


def bitwise(value: int, a: Number, b: Number) -> Number:
    return wrap(value, common_width(a, b), a.signed or b.signed)


def like(a: Number, value: int) -> Number:
    return wrap(value, a.width, a.signed)


def requantized(value: Number, shift: Number, result: Number) -> Number:
    low = -(2 ** (result.width - 1)) if result.signed else 0
    rounded = naive_round(Fraction(value.value, 2**shift.value))
    return result._replace(value=min(max(rounded, low), low + 2**result.width - 1))


def bit(a: Number, place: int) -> Number:
    return boolean(a.value >> place & 1)


EXPECTED: dict[str, Callable[..., Number]] = {
    "highest": lambda a: a._replace(value=2 ** (a.width - a.signed) - 1),
    "lowest": lambda a: a._replace(value=-(2 ** (a.width - 1)) if a.signed else 0),
    "not": lambda a: like(a, ~a.value),
    "minus": negative,
    "int": lambda a: wrap(a.value, 32, True),
    "unsigned": lambda a: wrap(a.value, 32, False),
    "long": lambda a: wrap(a.value, 64, True),
    "bit": lambda a, place: bit(a, place.value),
    "left": lambda a, by: shifted(a, by, 1),
    "right": lambda a, by: shifted(a, by, -1),
    "add": lambda a, b: wrap(a.value + b.value, common_width(a, b) + 1, a.signed or b.signed),
    "subtract": lambda a, b: wrap(a.value - b.value, common_width(a, b) + 1, True),
    "multiply": product,
    "and": lambda a, b: bitwise(a.value & b.value, a, b),
    "or": lambda a, b: bitwise(a.value | b.value, a, b),
    "equal": lambda a, b: boolean(a.value == b.value),
    "unequal": lambda a, b: boolean(a.value != b.value),
    "less": lambda a, b: boolean(a.value < b.value),
    "greater": lambda a, b: boolean(a.value > b.value),
    "at_most": lambda a, b: boolean(a.value <= b.value),
    "at_least": lambda a, b: boolean(a.value >= b.value),
    "plus_is": lambda a, b: like(a, a.value + b.value),
    "minus_is": lambda a, b: like(a, a.value - b.value),
    "times_is": lambda a, b: like(a, a.value * b.value),
    "is": lambda a, b: like(a, b.value),
    "chain": chain,
    "chain_right": in_chain(lambda total, b, c: like(total, total.value >> 3)),
    "chain_wide": in_chain(lambda total, b, c: wrap(total.value, total.width + 40 if total.width < 64 else 128, True)),
    "chain_less": in_chain(lambda total, b, c: boolean(total.value < b.value)),
    "chain_equal": in_chain(lambda total, b, c: boolean(total.value == c.value)),
    "chain_minus": in_chain(lambda total, b, c: negative(total)),
    "chain_times": in_chain(lambda total, b, c: product(total, c)),
    "chain_and": in_chain(
        lambda total, b, c: bitwise(total.value, total, Number(-1, total.width + 40 if total.width < 64 else 128, True))
    ),
    "chain_top": in_chain(lambda total, b, c: bit(total, total.width - 1)),
    "chain_long": in_chain(lambda total, b, c: wrap(total.value, 64, True)),
    "array": in_chain(lambda total, b, c, index: like(total, total.value + index.value)),
    "round": lambda value, shift: value._replace(value=naive_round(Fraction(value.value, 2**shift.value))),
    "requantize": requantized,
    "mantissa": lambda value: Number(naive_significand(value.value)[0] if value.value else 128, 8, False),
    "exponent": lambda value: Number(naive_significand(value.value)[1] if value.value else 0, 7, True),
}


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the program says on ``ap_types``, with the sanitizers on ``native_types``, and optimized."""
    folder = tmp_path_factory.mktemp("native_types")

    def run(types: IntegerTypes) -> str:
        compile_cpp(types, [f"-I{KERNELS}", str(SOURCE), "-o", str(folder / types.name)])
        done = subprocess.run([folder / types.name], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    kinds = (AP_TYPES, NATIVE_TYPES, OPTIMIZED)
    with ThreadPoolExecutor(2) as pool:
        return dict(zip((types.name for types in kinds), pool.map(run, kinds), strict=True))


@pytest.mark.parametrize("name", [NATIVE_TYPES.name, OPTIMIZED.name])
def test_same_bytes_as_ap_types(printed, name):
    pairs = zip(printed[AP_TYPES.name].splitlines(), printed[name].splitlines(), strict=True)
    different = [f"{a}\n{b}" for a, b in pairs if a != b]
    assert not different, f"{len(different)} lines, the first:\n" + "\n".join(different[:5])


def test_python_agrees(printed):
    lines = printed[AP_TYPES.name].splitlines()
    seen = set()
    for line in lines:
        name, *numbers = line.split()
        *operands, result = map(parse, numbers)
        given = [*operands, result] if name == "requantize" else operands
        assert str(EXPECTED[name](*given)) == str(result), line
        seen.add(name)
    assert len(lines) > 50_000 and seen == EXPECTED.keys()


def refused(statements: str, folder: Path, headers: str = '#include "ap_int.h"\n') -> str:
    """What the compiler says against ``statements`` on native types; ``ap_types`` takes them."""
    source = folder / "refused.cpp"
    source.write_text(f"{headers}int main() {{ {statements} }}\n")
    with pytest.raises(BenchError) as said:
        compile_cpp(NATIVE_TYPES, ["-fsyntax-only", str(source)])
    return str(said.value)


@pytest.mark.parametrize(
    "statements, word",
    [
        ("ap_int<8> a = 1; a.range(3, 0);", "range"),
        ("ap_int<8> a = 1; a(3, 0);", "no match for call"),
        ("ap_int<8> a = 1; (void)(a / 2);", "deleted function"),
        ("ap_int<8> a = 1; (void)(a % 2);", "deleted function"),
        ("ap_int<8> a = 1; (void)(3 ^ a);", "deleted function"),
        ("ap_int<8> a = 1; a.to_string(2);", "to_string"),
        ("ap_int<8> a = 1; a[1] = 1;", "lvalue"),
        ("ap_int<129> a = 1;", "integers of 1 to 128 bits"),
        ("ap_uint<65> a = 1; (void)(a * a);", "integers of 1 to 128 bits"),
        ("ap_int<128> a = 1; (void)(a + a);", "integers of 1 to 128 bits"),
        ("ap_int<8> a = -1; (void)(a < ap_uint<32>(1));", "drops the sign in this comparison"),
        ("ap_int<40> a = -1; (void)(a == ap_uint<40>(1));", "drops the sign in this comparison"),
    ],
)
def test_what_is_missing_does_not_compile(tmp_path, statements, word):
    assert word in refused(statements, tmp_path)


def test_fixed_point_does_not_compile(tmp_path):
    assert "error" in refused("ap_fixed<8, 4> a = 1; (void)a;", tmp_path, '#include "ap_fixed.h"\n')


def fifo(tmp_path: Path, statements: str) -> subprocess.CompletedProcess:
    source, program = tmp_path / "fifo.cpp", tmp_path / "fifo"
    source.write_text(f'#include "hls_stream.h"\nint main() {{ hls::stream<int> s("scores"); {statements} }}\n')
    compile_cpp(NATIVE_TYPES, [str(source), "-o", str(program)])
    return subprocess.run([program], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "statements, message",
    [
        ("s.read();", "read of an empty FIFO: scores\n"),
        ("s.write(1); s.read(); s.read();", "read of an empty FIFO: scores\n"),
        ("s.write(1);", "words are left in scores\n"),
        ("s.write(1); s.write(2); s.read();", "words are left in scores\n"),
    ],
)
def test_fifo_that_is_used_wrongly_ends_the_program(tmp_path, statements, message):
    run = fifo(tmp_path, statements)
    assert (run.returncode, run.stderr) == (3, message)


def test_fifo_keeps_the_order(tmp_path):
    statements = """
        int next = 0;
        for (int i = 0; i < 10; i++) {
            for (int j = 0; j <= i; j++) s.write(10 * i + j);
            if (int(s.size()) != i + 1 || s.empty()) return 1;
            for (int j = 0; j <= i; j++) if (s.read() != 10 * i + j) return 1;
            next += s.empty();
        }
        return next == 10 ? 0 : 1;
    """
    assert fifo(tmp_path, statements).returncode == 0


def test_fifo_grows_while_words_are_in_it(tmp_path):
    """Two words in for one out until it is large, then one for two; it empties and fills again."""
    statements = """
        for (int round = 0; round < 2; round++) {
            int next = 0;
            for (int i = 0; i < 50000; i++) {
                s.write(2 * i);
                s.write(2 * i + 1);
                if (s.read() != next++) return 1;
            }
            for (int i = 0; i < 25000; i++) {
                s.write(100000 + i);
                if (s.read() != next++ || s.read() != next++) return 1;
            }
            while (!s.empty())
                if (s.read() != next++) return 1;
            if (next != 125000) return 1;
        }
        return 0;
    """
    assert fifo(tmp_path, statements).returncode == 0


def test_simulation_uses_these_headers():
    """The program of the project finds them before those of hls4ml."""
    from hls_projects.simulation import NATIVE

    include = next(flag for flag in NATIVE.flags if flag.endswith("native_types"))
    assert include == NATIVE_TYPES.flags[0] and Path(include.removeprefix("-I"), "ap_int.h").is_file()
    assert not any("ap_types" in flag for flag in NATIVE.flags) and (HLS4ML / "ap_types" / "ap_int.h").is_file()
