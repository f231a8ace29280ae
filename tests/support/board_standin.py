"""A stand-in for pynq on a board: overlay, DMA and reset, in front of the compiled top level.

It keeps to what the hardware does where a driver could go wrong: what the processor writes is not in memory before a
flush, a transfer ends some polls after its start, images wait while results are not fetched, the core runs only
once it is started, and a register of a core in reset is not read.
"""

from __future__ import annotations

import types
from collections import deque
from pathlib import Path

import numpy as np

from tests.support.axi_simulation import COUNTERS, AxiCore

POLLS = 3  # that a transfer takes
LATENCY = 40  # polls of either channel from an image to its result
IN_FLIGHT = 3  # images whose results are not fetched, with which no further one gets in
REGISTERS = {name: {"address_offset": 0x10 + 0x10 * n} for n, name in enumerate(COUNTERS)}
RESULT_BYTES = 48


class Buffer(np.ndarray):
    """As pynq.allocate gives it; ``memory`` is what the DMA sees."""

    def __new__(cls, shape, dtype):
        made = np.zeros(shape, dtype).view(cls)
        made.memory = np.full(shape, 0x55, dtype)
        made.freed = False
        return made

    def __array_finalize__(self, source):
        self.memory = None

    def flush(self):
        self.memory[...] = self

    def invalidate(self):
        self[...] = self.memory

    def freebuffer(self):
        self.freed = True


class Channel:
    def __init__(self, board: Board):
        self.board, self.buffer, self.polls = board, None, 0
        self.running, self.first, self.ended, self.error, self.transferred = False, True, False, False, 0

    def start(self):
        self.running, self.first, self.ended, self.error = True, True, False, False
        self.buffer = None

    def transfer(self, buffer):
        if not self.running:
            raise RuntimeError("DMA channel not started")
        if not self.idle and not self.first:
            raise RuntimeError("DMA channel not idle")
        self.buffer, self.first, self.ended, self.polls, self.transferred = buffer, False, False, 0, 0
        self.begin()

    @property
    def idle(self) -> bool:
        self.polls += 1
        self.board.polls += 1
        if self.buffer is not None and not self.ended and self.polls >= POLLS:
            self.ended = self.end()
        return self.ended

    def wait(self):
        assert self.idle, "the driver waits without end"
        self.finish()


class Send(Channel):
    def begin(self):
        self.buffer.flush()

    def end(self) -> bool:
        return self.board.take(self.buffer.memory.tobytes())

    def finish(self):
        self.transferred = self.buffer.nbytes


class Receive(Channel):
    def begin(self):
        self.buffer.flush()

    def end(self) -> bool:
        if not self.board.results or self.board.results[0][0] > self.board.polls:
            return False
        _, self.packet = self.board.results.popleft()
        flat = self.buffer.memory.view(np.uint8)
        flat[: len(self.packet)] = np.frombuffer(self.packet, np.uint8)
        return True

    def finish(self):
        self.buffer.invalidate()
        self.transferred = len(self.packet)


class Board:
    """The programmable logic.

    Args:
        project: HLS project with the compiled core.
        fault: what goes wrong with image ``fault_at``, counted from the last reset, and only once.
    """

    def __init__(self, project: Path):
        self.project, self.core, self.results, self.polls = project, None, deque(), 0
        self.fault, self.fault_at, self.images, self.resets = None, 0, 0, 0
        self.in_reset, self.started, self.dma_resetting = False, False, set()

    def inject(self, fault: str, at: int):
        self.fault, self.fault_at = fault, at

    def due(self, fault: str) -> bool:
        if self.fault != fault or self.images != self.fault_at:
            return False
        self.fault = None
        return True

    def take(self, data: bytes) -> bool:
        """A packet from the DMA; False while it waits."""
        if not self.started or self.in_reset or len(self.results) >= IN_FLIGHT or self.fault == "stuck":
            return False
        if self.due("hang"):
            self.fault = "stuck"
            return False
        if self.due("cut image"):
            data = data[:2048]
        if self.due("dma error"):
            self.dma.recvchannel.error = True
            return False
        results = self.core.send(data)
        if self.due("lost result"):
            results = []
        if self.due("short result"):
            results = [results[0][:-8]]
        if self.due("result twice"):
            results *= 2
        self.results += [(self.polls + LATENCY, packet) for packet in results]
        self.images += 1
        return True

    def reset_core(self, value: int):
        if value & 1:
            self.in_reset = False
            return
        if self.core:
            self.core.close()
        self.core, self.in_reset, self.started = AxiCore(self.project), True, False
        self.results.clear()
        self.images, self.resets = 0, self.resets + 1
        if self.fault == "stuck":
            self.fault = None

    def close(self):
        if self.core:
            self.core.close()


class Cell:
    """An IP with registers."""

    def __init__(self, board: Board):
        self.board = board


class Core(Cell):
    def write(self, offset, value):
        assert not self.board.in_reset, "the bus hangs: the core is in reset"
        if offset == 0:
            self.board.started = value == 0x81

    def read(self, offset):
        assert not self.board.in_reset, "the bus hangs: the core is in reset"
        name = next(name for name, register in REGISTERS.items() if register["address_offset"] == offset)
        return self.board.core.counters[name]


class ResetGpio(Cell):
    def write(self, offset, value):
        assert offset == 0
        self.board.reset_core(value)


class Dma(Cell):
    def __init__(self, board: Board):
        super().__init__(board)
        self.sendchannel, self.recvchannel = Send(board), Receive(board)
        board.dma = self

    def write(self, offset, value):
        assert offset in (0x00, 0x30) and value == 4
        self.sendchannel.running = self.recvchannel.running = False
        self.board.dma_resetting = {0x00: 2, 0x30: 2}

    def read(self, offset):
        if self.board.fault == "dma stays in reset":
            return 4
        self.board.dma_resetting[offset] -= 1
        return 4 if self.board.dma_resetting[offset] > 0 else 0


def make_pynq(board: Board, without: str = "", registers: dict | None = None) -> types.ModuleType:
    """The module; an overlay has no cell ``without``."""
    module = types.ModuleType("pynq")

    class Overlay:
        def __init__(self, bitfile: str):
            assert Path(bitfile).is_file() and Path(bitfile).with_suffix(".hwh").is_file()
            self.core, self.dma, self.core_reset_gpio = Core(board), Dma(board), ResetGpio(board)
            cells = {
                "core": {"registers": REGISTERS if registers is None else registers},
                "dma": {},
                "core_reset_gpio": {},
            }
            self.ip_dict = {name: cell for name, cell in cells.items() if name != without}

    module.Overlay = Overlay
    module.allocate = lambda shape, dtype: Buffer(shape, dtype)
    return module
