"""Compile and run the C++ test benches of the kernels, on the simulation headers that hls4ml ships."""

from __future__ import annotations

import atexit
import functools
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path

import numpy as np

from hls_projects.conversion import config_struct, cpp_type
from hls_projects.operators import HardwareOperator

KERNELS = Path(__file__).parent / "kernels"
COMPILER = "g++"
# The sanitizers stop at an index outside an array, which plain C++ would let pass; with them the
# programs run as fast at -O0 as at -O1 and compile in half the time. The warnings left out are of
# hls4ml's headers, of pragmas that only Vitis knows and of labels that only Vitis uses.
FLAGS = [
    "-std=c++17", "-O0", "-Wall", "-Werror", "-fsanitize=address,bounds", "-fno-sanitize-recover=bounds",
    "-Wno-uninitialized", "-Wno-maybe-uninitialized", "-Wno-unknown-pragmas", "-Wno-unused-label",
]  # fmt: skip
HEADERS = "".join(f'#include "{name}"\n' for name in ("ap_fixed.h", "ap_int.h", "hls_stream.h", "nnet_types.h"))
TIMEOUT_S = 120
INPUT_TYPES = ("input_t", "input2_t")


class BenchError(Exception):
    """A test bench that does not compile, or a kernel that fails it."""


def config_header(operator: HardwareOperator) -> str:
    """``config.h`` of the operator's test bench."""
    words = [
        f"typedef nnet::array<{cpp_type(operator.in_dtype(index))}, {shape[-1]}> {INPUT_TYPES[index]};"
        for index, shape in enumerate(operator.input_shapes())
    ]
    result = f"typedef nnet::array<{cpp_type(operator.out_dtype)}, {operator.output_shape()[-1]}> result_t;"
    return header("\n".join([config_struct(operator, "config"), *words, result]))


def header(body: str) -> str:
    """``config.h`` of the declarations ``body``."""
    return f"#ifndef CONFIG_H_\n#define CONFIG_H_\n\n{HEADERS}\n{body}\n\n#endif\n"


def compile_source(source: Path, config: str, folder: Path, flags: Sequence[str] = ()) -> Path:
    """Compile one test bench with the text of its ``config.h``.

    Raises:
        BenchError: no compiler, or what the compiler says.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.h").write_text(config)
    binary = folder / source.stem
    _compile([*flags, *(f"-I{path}" for path in (folder, source.parent, KERNELS)), str(source), "-o", str(binary)])
    return binary


def run_bench(binary: Path, operator: HardwareOperator, cases: Sequence[np.ndarray]) -> np.ndarray:
    """Run a compiled test bench against the operator's numpy semantics.

    Args:
        cases: the codes of every input, each with the cases on its first axis.

    Returns:
        The operator's codes, which the kernel gives as well.

    Raises:
        BenchError: the first difference.
    """
    expected = operator.execute(*cases)
    arrays = [operator.array(name) for name in operator.arrays]
    words = [part for case in zip(*cases, expected, strict=True) for part in case]
    run_vectors(binary, len(expected), [*arrays, *words])
    return expected


def run_vectors(binary: Path, n_cases: int, arrays: Iterable[np.ndarray]) -> None:
    """Run a test bench on a vector file of ``arrays``."""
    lines = [str(n_cases), *(" ".join(map(str, array.reshape(-1).tolist())) for array in arrays)]
    vectors = binary.with_name("vectors.txt")
    vectors.write_text("\n".join(lines) + "\n")
    run = subprocess.run([binary, vectors], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if run.returncode or not run.stdout.startswith(f"PASS {n_cases} "):
        raise BenchError(f"{binary.name}: {run.stdout}{run.stderr}")


def check_kernel(operator: HardwareOperator, *cases: np.ndarray) -> np.ndarray:
    """:func:`run_bench` on a program that is compiled once for each configuration and process."""
    kernel = operator.header()
    binary = cached_source(kernel.with_name(f"{operator.kernel}_tb.cpp"), config_header(operator))
    return run_bench(binary, operator, cases)


@functools.cache
def cached_source(source: Path, config: str) -> Path:
    """:func:`compile_source`, once for each text of ``config.h``."""
    folder = Path(tempfile.mkdtemp(dir=_scratch()))
    return compile_source(source, config, folder, ["-include", str(_precompiled())])


@functools.cache
def _precompiled() -> Path:
    """A header precompiled from hls4ml's, which are most of what there is to compile."""
    path = _scratch() / "headers.h"
    path.write_text(HEADERS)
    _compile(["-x", "c++-header", str(path), "-o", f"{path}.gch"])
    return path


@functools.cache
def _scratch() -> Path:
    """A folder that lives as long as the process."""
    folder = Path(tempfile.mkdtemp(prefix="kernel_bench_"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _compile(arguments: Sequence[str]) -> None:
    if shutil.which(COMPILER) is None:
        raise BenchError(f"the test benches need {COMPILER} (package g++), which is not on the PATH")
    templates = Path(str(resources.files("hls4ml"))) / "templates" / "vivado"
    # As system headers: their warnings are not ours to mend.
    foreign = [argument for name in ("ap_types", "nnet_utils") for argument in ("-isystem", str(templates / name))]
    command = [COMPILER, *FLAGS, *foreign, *arguments]
    run = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if run.returncode:
        raise BenchError(f"{' '.join(command)}\n{run.stderr}")
