"""Random networks with forks, joins, stores and changes of rate, for the tests."""

from __future__ import annotations

import random

from hls_projects.dataflow.network import Fifo, Network, Process
from hls_projects.dataflow.program import Program, Read, Repeat, Wait, Write

MAX_WAIT = 5


class _Maker:
    """Draws a network process by process; ``open`` are the streams that nobody reads yet, with their words."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.processes: list[Process] = []
        self.fifos: list[Fifo] = []
        self.open: list[tuple[str, int]] = []

    def fifo(self, words: int) -> str:
        name = f"f{len(self.fifos)}"
        self.fifos.append(Fifo(name, self.random.choice([8, 16, 64])))
        self.open.append((name, words))
        return name

    def take(self) -> tuple[str, int]:
        return self.open.pop(self.random.randrange(len(self.open)))

    def wait(self) -> Program:
        cycles = self.random.randrange(MAX_WAIT)
        return (Wait(cycles),) if cycles else ()

    def add(self, kind: str, program: Program) -> None:
        self.processes.append(Process(f"{kind}{len(self.processes)}", kind, program))

    def source(self) -> None:
        words = self.random.choice([2, 4, 6, 8])
        self.add("source", (Repeat(words, (*self.wait(), Write(self.fifo(words)))),))

    def map(self) -> None:
        name, words = self.take()
        self.add("map", (Repeat(words, (Read(name), *self.wait(), Write(self.fifo(words)))), *self.wait()))

    def block(self) -> None:
        """All words in, then all out."""
        name, words = self.take()
        out = (Repeat(words, (*self.wait(), Write(self.fifo(words)))),)
        self.add("block", (Repeat(words, (Read(name),)), *self.wait(), *out))

    def fork(self) -> None:
        name, words = self.take()
        copies = tuple(Write(self.fifo(words)) for _ in range(self.random.choice([2, 2, 3])))
        self.add("fork", (Repeat(words, (Read(name), *self.wait(), *copies)),))

    def pair(self) -> None:
        """Two words to one."""
        name, words = self.take()
        if words % 2:
            self.open.append((name, words))
        else:
            out = Write(self.fifo(words // 2))
            self.add("pair", (Repeat(words // 2, (Read(name), *self.wait(), Read(name), *self.wait(), out)),))

    def join(self) -> None:
        """Two streams to one, word by word, or one of them stored first."""
        if len(self.open) < 2:
            return
        a, words = self.take()
        b, others = self.take()
        if self.random.random() < 0.5 and words == others:
            program: Program = (Repeat(words, (Read(a), *self.wait(), Read(b), Write(self.fifo(words)))),)
        else:
            store = Repeat(others, (Read(b), *self.wait()))
            program = (store, Repeat(words, (Read(a), *self.wait(), Write(self.fifo(words)))))
        self.add("join", program)


def random_network(seed: int, processes: int = 10) -> Network:
    """A network of about so many processes between one or two sources and its sinks."""
    maker = _Maker(seed)
    for _ in range(maker.random.choice([1, 1, 2])):
        maker.source()
    while len(maker.processes) < processes:
        maker.random.choice([maker.map, maker.block, maker.fork, maker.fork, maker.pair, maker.join, maker.join])()
    while maker.open:
        name, words = maker.take()
        maker.add("sink", (Repeat(words, (Read(name), *maker.wait())),))
    return Network(tuple(maker.processes), tuple(maker.fifos))


def random_depths(network: Network, seed: int, most: int = 4) -> dict[str, int]:
    source = random.Random(seed)
    return {fifo.name: source.randint(1, most) for fifo in network.sizable}
