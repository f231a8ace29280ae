"""The cost model: cycles, LUTs, flip-flops, block RAMs and DSP slices of operators, FIFOs and forks.

LUT and FF are sums of features times coefficients. ``flows/calibrate.py`` fits the coefficients to
syntheses of the operators' Verilog twins by Yosys, and writes them with their error on points held out to
``hls_projects/cost_model.json``. Block RAMs and DSP slices are counted by the rules that Yosys maps them by.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from hls_projects.errors import InputError

MODEL = Path(__file__).with_name("cost_model.json")
# Shapes of simple dual-port block RAMs (UG473): data bits, log2 of the words, size in units of 18 Kib. Then the bits of
# a byte, which has its own write enable.
RAMB18 = ((1, 14, 1), (2, 13, 1), (4, 12, 1), (9, 11, 1), (18, 10, 1), (36, 9, 1))
SHAPES = (*RAMB18, *((bits, address + 1, 2) for bits, address, _ in RAMB18), (72, 9, 2))
BYTE = 9
# What Yosys 0.23 minimizes (memory_libmap, brams_xc4v.txt): a cost of each block RAM by size, and of each bit of a
# multiplexer behind them.
COSTS = {1: 129, 2: 257}
COST_OF_CHOICE = 0.5
# Words of one bit that a LUT holds. Yosys counts a LUT as a cost of 1.
BITS_A_LUT = 64
# Bits of the wider factor of the multiplier in a DSP48E1 (UG479).
DSP_WIDTH = 25
# Largest depths of FIFOs in shift registers and in LUT RAM; see hls_projects/verilog/modules/fifo.sv.
FIFO_LINES, FIFO_LUT_RAM = 32, 256


@dataclass(frozen=True)
class Resources:
    """Resources of an FPGA, which can be added.

    Args:
        LUT: look-up tables, those of LUT RAMs and shift registers among them.
        FF: flip-flops.
        BRAM36: block RAMs of 36 Kib; one of 18 Kib counts as 0.5.
        DSP: DSP48 slices.
    """

    LUT: float = 0.0
    FF: float = 0.0
    BRAM36: float = 0.0
    DSP: float = 0.0

    def __add__(self, other: Resources) -> Resources:
        return Resources(*(mine + others for mine, others in zip(self.values(), other.values(), strict=True)))

    def values(self) -> tuple[float, ...]:
        """All four, in the order of :data:`KINDS`."""
        return self.LUT, self.FF, self.BRAM36, self.DSP


@dataclass(frozen=True)
class Demand:
    """Features of a folded operator that its resources are computed from.

    Args:
        kind: name of its table of coefficients, such as ``ResidualAdd``.
        features: counts that LUT and FF grow with, such as bits of adders.
        BRAM36, DSP: the counted resources, see :class:`Resources`.
    """

    kind: str
    features: Mapping[str, float]
    BRAM36: float = 0.0
    DSP: float = 0.0


KINDS = tuple(field.name for field in fields(Resources))


@dataclass(frozen=True)
class Cost:
    """Cost of a folded operator.

    Args:
        cycles: interval between two images where its input is never empty and its output never full.
    """

    cycles: int
    resources: Resources


def resources(demand: Demand) -> Resources:
    """Resources of ``demand``: LUT and FF by the calibration, BRAM36 and DSP as counted.

    Raises:
        InputError: a kind or features that were not calibrated.
    """
    kind = load_model(MODEL)["kinds"].get(demand.kind)
    if kind is None:
        raise InputError(
            f"{demand.kind} has no cost model; add it to hls_projects/calibration/grid.py and run flows/calibrate.py"
        )
    coefficients = kind["coefficients"]
    if coefficients["LUT"].keys() != demand.features.keys():
        differ = ", ".join(sorted(coefficients["LUT"].keys() ^ demand.features.keys()))
        raise InputError(f"{demand.kind} was calibrated with other features ({differ}); run flows/calibrate.py")
    found = {name: weighted(row, demand.features) for name, row in coefficients.items()}
    return Resources(**found, BRAM36=demand.BRAM36, DSP=demand.DSP)


def weighted(coefficients: Mapping[str, float], features: Mapping[str, float]) -> float:
    """The sum of ``features`` times their coefficients."""
    return sum(coefficient * features[name] for name, coefficient in coefficients.items())


@functools.cache
def load_model(path: Path) -> dict:
    """Read the result of a calibration, see :mod:`hls_projects.calibration.fit`.

    Raises:
        InputError: a file that cannot be read.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"no cost model {path}: {error.strerror}; run flows/calibrate.py") from error


@dataclass(frozen=True)
class BlockRam:
    """A memory with one read port and one write port in block RAM, as Yosys maps it.

    All block RAMs have the one shape that costs least. Where it has too few words, there are several rows of block RAMs
    and a multiplexer that selects the row.

    Args:
        BRAM36: block RAMs of 36 Kib.
        choice_luts: LUTs of the multiplexer, roughly: a third for each bit of each row after the first.
        cost: by Yosys's measure.
    """

    BRAM36: float
    choice_luts: int
    cost: float

    @classmethod
    @functools.lru_cache(maxsize=1 << 16)
    def of(cls, width: int, words: int, *, element: int = 0, written: bool = True) -> BlockRam:
        """Map ``words`` words of ``width`` bits.

        Args:
            element: bits of a part of the word that has its own write enable; 0 where only whole words are written.
            written: False for a ROM. Other memories use whole bytes, which have the write enables.
        """
        enables = width // element if element else 1
        found = []
        for bits, address, halves in SHAPES:
            rows = math.ceil(words / (1 << address))
            byte = min(BYTE, bits)
            taken = enables * byte * math.ceil(width / enables / byte) if written else width
            rams = math.ceil(taken * rows / bits)
            choice = width * (rows - 1) + (enables * rows if written and rows > 1 else 0)
            cost = COSTS[halves] * rams + COST_OF_CHOICE * choice
            found.append(cls(rams * halves / 2, math.ceil(width * (rows - 1) / 3), cost))
        return min(found, key=lambda ram: ram.cost)


def lut_ram(width: int, words: int, readers: int = 1) -> int:
    """LUTs of a RAM in LUTs: four hold 32 words of 6 bits with one read port, or of 2 bits with three read ports."""
    bits = (6 if readers == 1 else 2) // (1 if words <= 32 else 2)
    return 4 * math.ceil(width / bits) * math.ceil(words / 64) * math.ceil(readers / 3)


@dataclass(frozen=True)
class Rom:
    """A ROM as Yosys maps it: as logic, or as block RAM where that is cheaper.

    Args:
        luts: LUTs where equal ones are shared: different functions of six address bits among all bits of the words.
        tree_luts: LUTs of trees without sharing: up to four a bit, joined by the slice's own multiplexers, by the
            number of address bits that the bit depends on.
        choice_luts: LUTs of the multiplexer behind more than four LUTs of a bit, or behind block RAMs.
        BRAM36: block RAMs.
    """

    luts: int
    tree_luts: int
    choice_luts: int
    BRAM36: float

    @classmethod
    def of(cls, width: int, words: np.ndarray) -> Rom:
        """Map a ROM with the contents ``words``, integers of ``width`` bits."""
        ram = BlockRam.of(width, len(words), written=False)
        if width * len(words) / BITS_A_LUT > ram.cost:
            return cls(0, 0, ram.choice_luts, ram.BRAM36)
        address = max((len(words) - 1).bit_length(), 6)
        padded = np.pad(words.astype(np.int64), (0, (1 << address) - len(words)))
        bits = (padded >> np.arange(width)[:, None]) & 1
        halves = (bits.reshape(width, -1, 2, 1 << line) for line in range(address))
        depends = sum((half[:, :, 0] != half[:, :, 1]).any(axis=(1, 2)).astype(int) for half in halves)
        trees = np.where(depends > 0, np.clip((1 << depends) // BITS_A_LUT, 1, 4), 0)
        fours = math.ceil(len(words) / BITS_A_LUT / 4)
        return cls(_functions(bits), int(trees.sum()), int((depends > 8).sum()) * (fours - 1), 0.0)


def _functions(bits: np.ndarray) -> int:
    """Number of different functions of six inputs among the bits of a memory, without constants and plain inputs.

    Args:
        bits: (width, words), words a multiple of 64.
    """
    blocks = bits.reshape(-1, BITS_A_LUT)
    # A function and its inverse count as one, which is represented by the one that begins with 0.
    functions = np.unique(blocks ^ blocks[:, :1], axis=0)
    inputs = (np.arange(BITS_A_LUT) >> np.arange(6)[:, None]) & 1
    free = ~functions.any(axis=1) | (functions[:, None] == inputs).all(axis=2).any(axis=1)
    return int((~free).sum())


def rom_luts(width: int, words: int) -> int:
    """LUTs of a ROM in logic without any regularity: one for 64 words of a bit."""
    return width * math.ceil(words / 64)


def fifo_resources(word_bits: int, depth: int) -> Resources:
    """Resources of a FIFO of ``depth`` words (``fifo.sv``); none for a depth of one, or for words without bits."""
    return resources(fifo_demand(word_bits, depth)) if word_bits and depth > 1 else Resources()


def fifo_demand(word_bits: int, depth: int) -> Demand:
    """Demand of a FIFO of two words or more, in shift registers, LUT RAM or block RAM by its depth."""
    address = max((depth - 1).bit_length(), 2)
    words = 1 << address
    common = {"one": 1, "word_bits": word_bits, "address_bits": address}
    if depth <= FIFO_LINES:
        return Demand("Fifo lines", common)
    if depth <= FIFO_LUT_RAM:
        choice = word_bits * (math.ceil(depth / 64) - 1)
        return Demand("Fifo LUT RAM", common | {"storage_luts": lut_ram(word_bits, depth), "choice_luts": choice})
    words = 512 * math.ceil(depth / 512)
    ram = BlockRam.of(word_bits, words)
    return Demand("Fifo block RAM", common | {"choice_luts": ram.choice_luts}, BRAM36=ram.BRAM36)


def clone_resources(copies: int, word_bits: int) -> Resources:
    """Resources of a fork that copies a stream to ``copies`` readers (``stream_fork.sv``)."""
    return resources(clone_demand(copies, word_bits))


def clone_demand(copies: int, word_bits: int) -> Demand:
    """Demand of such a fork."""
    return Demand("Fork", {"one": 1, "copies": copies, "word_bits": word_bits})
