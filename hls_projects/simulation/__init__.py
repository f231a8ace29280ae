"""C-simulation of a generated project: the reference on ``ap_types``, and the same source on native integers."""

from hls_projects.simulation.bounded import BOUNDED, simulate_bounded
from hls_projects.simulation.compiler import Program, compile_programs, compiler
from hls_projects.simulation.native import NATIVE, simulate_native
from hls_projects.simulation.reference import REFERENCE, read_trace, simulate_reference, write_vectors

__all__ = [
    "BOUNDED",
    "NATIVE",
    "REFERENCE",
    "Program",
    "compile_programs",
    "compiler",
    "read_trace",
    "simulate_bounded",
    "simulate_native",
    "simulate_reference",
    "write_vectors",
]
