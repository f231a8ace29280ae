"""Random networks with forks, joins, stores, changes of rate and double-buffered stages, for the tests."""

from __future__ import annotations

import random

from hls_projects.dataflow.network import Fifo, Network, Process
from hls_projects.dataflow.program import Program, Read, Repeat, Together, Wait, Write, claim, fill, free, take

MAX_WAIT = 5


def block_fifos(block: str, depth: int = 2) -> tuple[Fifo, Fifo]:
    """The two FIFOs of tokens that model ``block`` with ``depth`` buffers."""
    return Fifo(f"{block}.claimed", 0, depth), Fifo(f"{block}.filled", 0, depth)


class _Maker:
    """Draws a network process by process; ``open`` are the streams that nobody reads yet, with their words."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.processes: list[Process] = []
        self.fifos: list[Fifo] = []
        self.open: list[tuple[str, int]] = []

    def fifo(self, words: int) -> str:
        name = f"f{len(self.fifos)}"
        bits, latency = self.random.choice([8, 16, 64]), self.random.choice([1, 1, 2, 4])
        direct = max(latency - 2, 1) if latency > 1 else None
        self.fifos.append(Fifo(name, bits, latency=latency, direct=direct))
        self.open.append((name, words))
        return name

    def take(self) -> tuple[str, int]:
        return self.open.pop(self.random.randrange(len(self.open)))

    def wait(self) -> Program:
        cycles = self.random.randrange(MAX_WAIT)
        return (Wait(cycles),) if cycles else ()

    def moves(self, *steps: Read | Write) -> Program:
        """``steps`` in one cycle, or some of them in one, or one after another with waiting between."""
        cut = self.random.randrange(len(steps) + 1)
        alone = tuple(part for step in steps[cut:] for part in (*self.wait(), step))
        return (Together(steps[:cut]), *alone) if cut else alone

    def add(self, kind: str, program: Program) -> None:
        self.processes.append(Process(f"{kind}{len(self.processes)}", kind, program))

    def source(self) -> None:
        words = self.random.choice([2, 4, 6, 8])
        self.add("source", (Repeat(words, (*self.wait(), Write(self.fifo(words)))),))

    def map(self) -> None:
        name, words = self.take()
        self.add("map", (Repeat(words, (*self.moves(Read(name), Write(self.fifo(words))), *self.wait())), *self.wait()))

    def block(self) -> None:
        """All words in, then all out."""
        name, words = self.take()
        out = (Repeat(words, (*self.wait(), Write(self.fifo(words)))),)
        self.add("block", (Repeat(words, (Read(name),)), *self.wait(), *out))

    def fork(self) -> None:
        name, words = self.take()
        copies = tuple(Write(self.fifo(words)) for _ in range(self.random.choice([2, 2, 3])))
        self.add("fork", (Repeat(words, self.moves(Read(name), *copies)),))

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
            program: Program = (Repeat(words, self.moves(Read(a), Read(b), Write(self.fifo(words)))),)
        else:
            store = Repeat(others, (Read(b), *self.wait()))
            program = (store, Repeat(words, self.moves(Read(a), Write(self.fifo(words)))))
        self.add("join", program)

    def stages(self) -> None:
        """A process that fills blocks, half of the words in each or all, and one that empties them."""
        name, words = self.take()
        blocks = self.random.choice([1, 2]) if words % 2 == 0 else 1
        block = f"block{len(self.processes)}"
        self.fifos += block_fifos(block, self.random.choice([1, 2, 2]))
        each = Repeat(words // blocks - 1, (Read(name),))
        first = self.moves(claim(block), Read(name))
        self.add("load", (Repeat(blocks, (*first, each, *self.wait(), fill(block))),))
        out = Write(self.fifo(words))
        each = Repeat(words // blocks - 1, (out, *self.wait()))
        self.add("unload", (Repeat(blocks, (take(block), *self.wait(), each, *self.moves(out, free(block)))),))


def random_network(seed: int, processes: int = 10) -> Network:
    """A network of about that number of processes between one or two sources and its sinks."""
    maker = _Maker(seed)
    for _ in range(maker.random.choice([1, 1, 2])):
        maker.source()
    while len(maker.processes) < processes:
        makers = [maker.map, maker.block, maker.fork, maker.fork, maker.pair, maker.join, maker.join, maker.stages]
        maker.random.choice(makers)()
    while maker.open:
        name, words = maker.take()
        maker.add("sink", (Repeat(words, (Read(name), *maker.wait())),))
    return Network(tuple(maker.processes), tuple(maker.fifos))


def random_depths(network: Network, seed: int, most: int = 4) -> dict[str, int]:
    source = random.Random(seed)
    return {fifo.name: source.randint(1, most) for fifo in network.sizable}
