"""The pipeline as a network of processes and FIFOs: its timing, its deadlocks, and the depths of its FIFOs.

``program`` says what a process does, ``network`` joins processes by FIFOs, ``simulation`` finds the cycle of every word
(``code`` and ``engine`` are its C++ side, ``steady`` and ``activity`` read its result), ``deadlock`` explains why
nothing moves, and ``sizing`` finds the smallest depths.
"""

from hls_projects.dataflow.deadlock import Deadlock, explain
from hls_projects.dataflow.network import Fifo, Network, NetworkError, Process
from hls_projects.dataflow.program import (
    Program,
    Read,
    Repeat,
    Step,
    Together,
    Wait,
    Write,
    claim,
    fill,
    free,
    take,
)
from hls_projects.dataflow.simulation import Trace, simulate
from hls_projects.dataflow.sizing import Sizing, size_fifos
from hls_projects.dataflow.steady import settled

__all__ = [
    "Deadlock",
    "Fifo",
    "Network",
    "NetworkError",
    "Process",
    "Program",
    "Read",
    "Repeat",
    "Sizing",
    "Step",
    "Together",
    "Trace",
    "Wait",
    "Write",
    "claim",
    "explain",
    "fill",
    "free",
    "settled",
    "simulate",
    "size_fifos",
    "take",
]
