"""C-simulation of a generated project: the reference on ``ap_types``, and the same source on native integers.

``compiler`` runs g++ and caches programs, ``processes`` starts and watches them, ``reference`` and ``native`` are the
two simulations.
"""

from hls_projects.simulation.compiler import Program, compile_programs, compiler
from hls_projects.simulation.native import NATIVE, simulate_native
from hls_projects.simulation.reference import REFERENCE, read_trace, simulate_reference, write_vectors

__all__ = [
    "NATIVE",
    "REFERENCE",
    "Program",
    "compile_programs",
    "compiler",
    "read_trace",
    "simulate_native",
    "simulate_reference",
    "write_vectors",
]
