"""A network: processes joined by FIFOs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from hls_projects.dataflow.code import Code, make_code
from hls_projects.dataflow.program import End, Program, words
from hls_projects.errors import InputError


class NetworkError(InputError):
    """Processes and FIFOs that do not fit together, depths that do not fit the network, or a deadlock."""


@dataclass(frozen=True)
class Process:
    """A process, which runs ``program`` once an image.

    Args:
        name: unique in its network.
        kind: the operator's class, or another name for what it does.
        program: reads and writes by the names of the FIFOs.
    """

    name: str
    kind: str
    program: Program

    @cached_property
    def words(self) -> Counter[End]:
        """Words an image by end of a FIFO."""
        return words(self.program)

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
        word_bits: width of a word; 0 for tokens, which have no value.
        fixed_depth: slots, where their number cannot be chosen, as at the ports of the core; else None.
        latency: cycles from a word's write to the first cycle in which it can be read, at least one. The registers
            that cause it hold ``latency - 1`` words besides those in the slots.
        direct: the latency at a depth of one, where the only slot is the last register of the writer. That register
            takes the next word in the very cycle in which its word is read. None where it is ``latency``.
    """

    name: str
    word_bits: int
    fixed_depth: int | None = None
    latency: int = 1
    direct: int | None = None

    def depth(self, depths: Mapping[str, int | None]) -> int | None:
        """Its slots, fixed or chosen in ``depths``; None for an unbounded FIFO."""
        return self.fixed_depth or depths[self.name]

    def latency_at(self, depth: int | None) -> int:
        """The latency with ``depth`` slots."""
        return self.direct if depth == 1 and self.direct else self.latency

    def reuse_delay(self, depth: int | None) -> int:
        """Cycles from a word's read to the first cycle in which its slot takes another, with ``depth`` slots."""
        return 0 if depth == 1 and self.direct else 1


@dataclass(frozen=True)
class Network:
    """Processes and FIFOs, each FIFO with one writer and one reader.

    Args:
        processes: in the order of the data flow, sources first.
        fifos: in the same order.

    Raises:
        NetworkError: a name that occurs twice, a port that is no FIFO, a FIFO without exactly one writer and one
            reader, or with a writer and a reader of different numbers of words.
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
        names_of_fifos = {fifo.name for fifo in self.fifos}
        for (port, _), users in ends.items():
            if port not in names_of_fifos:
                raise NetworkError(f"process {users[0][0].name} uses {port}, which is no FIFO")
        pairs = {}
        for fifo in self.fifos:
            writers, readers = ends.get((fifo.name, True), []), ends.get((fifo.name, False), [])
            if len(writers) != 1 or len(readers) != 1:
                raise NetworkError(f"FIFO {fifo.name} has {len(writers)} writers and {len(readers)} readers")
            (writer, written), (reader, read) = writers[0], readers[0]
            if written != read:
                raise NetworkError(f"FIFO {fifo.name} has {written} words an image written and {read} read")
            pairs[fifo.name] = writer, reader
        object.__setattr__(self, "ends", pairs)

    def writer(self, fifo: str) -> Process:
        """The process that writes ``fifo``."""
        return self.ends[fifo][0]

    def reader(self, fifo: str) -> Process:
        """The process that reads ``fifo``."""
        return self.ends[fifo][1]

    @cached_property
    def code(self) -> Code:
        """All programs as the event loop in C++ takes them."""
        numbers = {fifo.name: number for number, fifo in enumerate(self.fifos)}
        return make_code(
            [process.program for process in self.processes], [process.words for process in self.processes], numbers
        )

    @cached_property
    def without_registers(self) -> Network:
        """The same network with FIFOs of a latency of one cycle, and so without registers that hold words."""
        if all(fifo.latency == 1 and not fifo.direct for fifo in self.fifos):
            return self
        plain = Network(self.processes, tuple(replace(fifo, latency=1, direct=None) for fifo in self.fifos))
        # It has the same programs, whose encoding takes longer than running them.
        vars(plain)["code"] = self.code
        return plain

    @cached_property
    def sizable(self) -> tuple[Fifo, ...]:
        """FIFOs whose depth can be chosen."""
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
        """Check that ``depths`` gives every sizable FIFO, and no other, a depth of at least one.

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
        """Bits in the slots of all sizable FIFOs."""
        return sum(depths[fifo.name] * fifo.word_bits for fifo in self.sizable)
