"""Processes joined by FIFOs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from hls_projects.dataflow.code import Code, make_code
from hls_projects.dataflow.program import End, Instruction, Program, instructions, words


class NetworkError(ValueError):
    """Processes and FIFOs that do not fit together, or depths that are not those of the network."""


@dataclass(frozen=True)
class Process:
    """A process: the same ``program`` for every image, its ports named after the FIFOs.

    Args:
        name: unique in its network.
        kind: what it is, such as the operator's class.
    """

    name: str
    kind: str
    program: Program

    @cached_property
    def words(self) -> Counter[End]:
        """Words an image by FIFO and whether they are written."""
        return words(self.program)

    @cached_property
    def instructions(self) -> tuple[list[Instruction], int]:
        """See :func:`hls_projects.dataflow.program.instructions`; as long as all that the process moves."""
        return instructions(self.program)

    @property
    def is_source(self) -> bool:
        """Whether it only writes."""
        return bool(self.words) and all(writes for _, writes in self.words)

    @property
    def is_sink(self) -> bool:
        """Whether it only reads."""
        return bool(self.words) and not any(writes for _, writes in self.words)


@dataclass(frozen=True)
class Fifo:
    """A FIFO between two processes.

    Args:
        name: unique in its network.
        word_bits: width; 0 for tokens without a value.
        fixed_depth: slots, where they are not the designer's to choose (the ports of the core).
        latency: cycles from a word's write to the first in which it can be read, at least one. Registers on
            its way hold ``latency - 1`` words besides those in the slots.
        direct: the latency with one slot, where that is the last register of the writer, which then moves in the cycle
            of the read.
    """

    name: str
    word_bits: int
    fixed_depth: int | None = None
    latency: int = 1
    direct: int | None = None

    def depth(self, depths: Mapping[str, int | None]) -> int | None:
        """Its slots, where ``depths`` are those that were chosen, by name; None for one without a bound."""
        return self.fixed_depth or depths[self.name]

    def cycles(self, depth: int | None) -> int:
        """The latency of a FIFO of ``depth`` slots."""
        return self.direct if depth == 1 and self.direct else self.latency

    def frees(self, depth: int | None) -> int:
        """Cycles from a word's read to the first in which its slot, of ``depth`` slots, takes another."""
        return 0 if depth == 1 and self.direct else 1


def block_fifos(block: str, depth: int = 2) -> tuple[Fifo, Fifo]:
    """The FIFOs that stand for ``block`` of ``depth`` buffers; see :mod:`hls_projects.dataflow.program`."""
    return Fifo(f"{block}.claimed", 0, depth), Fifo(f"{block}.filled", 0, depth)


@dataclass(frozen=True)
class Network:
    """Processes and FIFOs, each FIFO with one writer and one reader.

    Args:
        processes, fifos: in the order of the data's way, sources first.

    Raises:
        NetworkError: a FIFO that is not written by one process and read by one, or is given another
            number of words than are taken from it.
    """

    processes: tuple[Process, ...]
    fifos: tuple[Fifo, ...]
    ends: dict[str, tuple[Process, Process]] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        names = [item.name for item in (*self.processes, *self.fifos)]
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise NetworkError(f"{twice[0]} is the name of two parts of the network")
        ends: dict[End, list[tuple[Process, int]]] = {}
        for process in self.processes:
            for (port, writes), count in process.words.items():
                ends.setdefault((port, writes), []).append((process, count))
        known = {fifo.name for fifo in self.fifos}
        for (port, _), users in ends.items():
            if port not in known:
                raise NetworkError(f"process {users[0][0].name} uses {port}, which is no FIFO")
        pairs = {}
        for fifo in self.fifos:
            writers, readers = ends.get((fifo.name, True), []), ends.get((fifo.name, False), [])
            if len(writers) != 1 or len(readers) != 1:
                raise NetworkError(f"FIFO {fifo.name} has {len(writers)} writers and {len(readers)} readers")
            (writer, written), (reader, read) = writers[0], readers[0]
            if written != read:
                raise NetworkError(f"FIFO {fifo.name} is given {written} words an image, of which {read} are taken")
            pairs[fifo.name] = writer, reader
        object.__setattr__(self, "ends", pairs)

    def writer(self, fifo: str) -> Process:
        return self.ends[fifo][0]

    def reader(self, fifo: str) -> Process:
        return self.ends[fifo][1]

    @cached_property
    def code(self) -> Code:
        """All programs, for the simulation."""
        numbers = {fifo.name: number for number, fifo in enumerate(self.fifos)}
        return make_code(
            [process.program for process in self.processes], [process.words for process in self.processes], numbers
        )

    @cached_property
    def without_registers(self) -> Network:
        """The same network with FIFOs from which a word can be read in the cycle after its write."""
        if all(fifo.latency == 1 and not fifo.direct for fifo in self.fifos):
            return self
        plain = Network(self.processes, tuple(replace(fifo, latency=1, direct=None) for fifo in self.fifos))
        # It has the same programs; making their code takes longer than running them.
        vars(plain)["code"] = self.code
        return plain

    @cached_property
    def sizable(self) -> tuple[Fifo, ...]:
        """FIFOs whose depth is the designer's to choose."""
        return tuple(fifo for fifo in self.fifos if fifo.fixed_depth is None)

    @cached_property
    def words(self) -> dict[str, int]:
        """Words an image by FIFO."""
        return {fifo.name: self.writer(fifo.name).words[fifo.name, True] for fifo in self.fifos}

    @cached_property
    def words_by_fifo(self) -> np.ndarray:
        """:attr:`words` in the order of the FIFOs, int64 (FIFOs,)."""
        return np.array([self.words[fifo.name] for fifo in self.fifos], dtype=np.int64)

    def check_depths(self, depths: Mapping[str, int]) -> None:
        """Refuse depths that are not one positive number for every FIFO that can be sized.

        Raises:
            NetworkError: an unknown FIFO, one left out, a depth below one.
        """
        names = {fifo.name for fifo in self.sizable}
        unknown, missing = sorted(set(depths) - names), sorted(names - set(depths))
        if unknown:
            raise NetworkError(f"there is no FIFO {unknown[0]}")
        if missing:
            raise NetworkError(f"FIFO {missing[0]} has no depth")
        for name, depth in depths.items():
            if not isinstance(depth, int) or isinstance(depth, bool) or depth < 1:
                raise NetworkError(f"the depth of FIFO {name} must be a whole number of at least 1, not {depth!r}")

    def storage_bits(self, depths: Mapping[str, int]) -> int:
        """Bits of all FIFOs that can be sized."""
        return sum(depths[fifo.name] * fifo.word_bits for fifo in self.sizable)
