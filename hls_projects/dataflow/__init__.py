"""The pipeline as a network of processes and FIFOs, and what its timing is."""

from hls_projects.dataflow.deadlock import Deadlock, explain
from hls_projects.dataflow.network import Fifo, Network, NetworkError, Process, block_fifos
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
    flatten,
    free,
    instructions,
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
    "block_fifos",
    "claim",
    "explain",
    "fill",
    "flatten",
    "free",
    "instructions",
    "settled",
    "simulate",
    "size_fifos",
    "take",
]
