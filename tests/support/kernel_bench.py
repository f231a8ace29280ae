"""Compile and run the C++ test benches of the kernels, on ``ap_types`` and on native integers."""

from __future__ import annotations

import atexit
import functools
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from hls_projects import KERNELS
from hls_projects.operators import HardwareOperator
from hls_projects.operators.base import stream_shape
from hls_projects.project.conversion import config_struct, cpp_type
from hls_projects.simulation import compiler
from hls_projects.simulation.compiler import BLOCKS_HEADER
from hls_projects.simulation.native import VECTORIZED

HLS4ML = Path(str(resources.files("hls4ml"))) / "templates" / "vivado"


@dataclass(frozen=True)
class IntegerTypes:
    """Headers that define ``ap_int`` and ``hls::stream``, and the flags of a program that uses them."""

    name: str
    flags: tuple[str, ...]


# The sanitizers stop at an index outside an array, which plain C++ would let pass; with them the
# programs run as fast at -O0 as at -O1 and compile in half the time. ap_types itself overflows
# signed integers, native_types must not. On ap_types a kernel has its folding, on native_types it is
# vectorized (lanes.h), as simulations have it. The warnings left out are of hls4ml's headers, of
# pragmas that only Vitis knows and of labels that only Vitis uses.
AP_TYPES = IntegerTypes(
    "ap_types",
    (
        *("-isystem", str(HLS4ML / "ap_types"), "-Wno-uninitialized", "-Wno-maybe-uninitialized"),
        *("-fsanitize=address,bounds", "-fno-sanitize-recover=bounds"),
    ),
)
NATIVE_TYPES = IntegerTypes(
    "native_types",
    (
        *(f"-I{KERNELS.parent / 'simulation' / 'native_types'}", VECTORIZED, "-Wextra"),
        *("-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
    ),
)
FLAGS = (
    *("-std=c++17", "-O0", "-Wall", "-Werror", "-Wno-unknown-pragmas", "-Wno-unused-label"),
    *("-isystem", str(HLS4ML / "nnet_utils")),
)
HEADERS = "".join(f'#include "{name}"\n' for name in ("ap_fixed.h", "ap_int.h", "hls_stream.h", "nnet_types.h"))
TIMEOUT_S = 120
STREAMS = ("input", "input2")


class BenchError(Exception):
    """A test bench that does not compile, or a kernel that fails it."""


def config_header(operator: HardwareOperator) -> str:
    """``config.h`` of the operator's test bench."""
    streams = [
        (name, operator.in_dtype(index), shape, operator.in_word(index))
        for index, (name, shape) in enumerate(zip(STREAMS, operator.input_shapes(), strict=False))
    ]
    streams.append(("result", operator.out_dtype, operator.output_shape(), operator.out_word()))
    lines = [config_struct(operator, "config")]
    for name, dtype, shape, word in streams:
        words, size = stream_shape(shape, word)
        lines.append(f"typedef nnet::array<{cpp_type(dtype)}, {size}> {name}_t;")
        lines.append(f"static const unsigned {name}_words = {words};")
    return header("\n".join(lines))


def header(body: str) -> str:
    """``config.h`` of the declarations ``body``."""
    return f"#ifndef CONFIG_H_\n#define CONFIG_H_\n\n{HEADERS}\n{body}\n\n#endif\n"


def check_kernel(operator: HardwareOperator, *cases: np.ndarray) -> np.ndarray:
    """Run the operator's kernel against its numpy semantics.

    Args:
        cases: the codes of every input, each with the cases on its first axis.

    Returns:
        The operator's codes, which the kernel gives as well.

    Raises:
        BenchError: the first difference.
    """
    kernel = operator.header()
    programs = cached_source(kernel.parent / "tests" / f"{operator.kernel}_tb.cpp", config_header(operator))
    expected = operator.execute(*cases)
    arrays = [operator.kernel_array(name) for name in operator.arrays]
    words = [part for case in zip(*cases, expected, strict=True) for part in case]
    run_vectors(programs, len(expected), [*arrays, *words])
    return expected


def run_vectors(programs: Path, n_cases: int, arrays: Iterable[np.ndarray]) -> None:
    """Run the programs of :func:`cached_source` on a vector file of ``arrays``.

    Raises:
        BenchError: what the first program that fails says.
    """
    lines = [str(n_cases), *(" ".join(map(str, array.reshape(-1).tolist())) for array in arrays)]
    (programs / "vectors.txt").write_text("\n".join(lines) + "\n")
    for types in (AP_TYPES, NATIVE_TYPES):
        command = [programs / types.name, programs / "vectors.txt"]
        run = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        if run.returncode or not run.stdout.startswith(f"PASS {n_cases} "):
            raise BenchError(f"on {types.name}: {run.stdout}{run.stderr}")


@functools.cache
def cached_source(source: Path, config: str) -> Path:
    """A folder with one program for each kind of integers, compiled once for each text of ``config.h``.

    Raises:
        BenchError: what the compiler says.
        InputError: no compiler.
    """
    folder = Path(tempfile.mkdtemp(dir=_scratch()))
    (folder / "config.h").write_text(config)

    def compile_with(types: IntegerTypes) -> None:
        includes = [
            f"-I{path}" for path in (folder, source.parent.parent, Path(__file__).parent, KERNELS, BLOCKS_HEADER.parent)
        ]
        compile_cpp(types, [*_precompiled(types), *includes, str(source), "-o", str(folder / types.name)])

    with ThreadPoolExecutor() as pool:
        list(pool.map(compile_with, (AP_TYPES, NATIVE_TYPES)))
    return folder


def compile_cpp(types: IntegerTypes, arguments: Sequence[str]) -> None:
    """Run g++.

    Raises:
        BenchError: what it says.
        InputError: there is none.
    """
    command = [compiler(), *FLAGS, *types.flags, *arguments]
    run = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if run.returncode:
        raise BenchError(f"{' '.join(command)}\n{run.stderr}")


@functools.cache
def _precompiled(types: IntegerTypes) -> tuple[str, ...]:
    """Flags for a header precompiled from hls4ml's, which are most of what there is to compile."""
    path = _scratch() / f"{types.name}.h"
    path.write_text(HEADERS)
    compile_cpp(types, ["-x", "c++-header", str(path), "-o", f"{path}.gch"])
    return "-include", str(path)


@functools.cache
def _scratch() -> Path:
    """A folder that lives as long as the process."""
    folder = Path(tempfile.mkdtemp(prefix="kernel_bench_"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
