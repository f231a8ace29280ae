"""What an operator costs: cycles, and the LUTs, flip-flops, block RAMs and DSPs that a board has few of.

LUT and FF are sums of an operator's features times coefficients, which ``hls_projects.calibration.calibrate`` fits to
syntheses of the operators' Verilog twins by Yosys and writes, with the fit's error on points held out, to
``hls_projects/cost_model.json``. Block RAMs and DSPs follow rules and are counted.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

MODEL = Path(__file__).with_name("cost_model.json")
# Data bits, words as a power of two, and size in 18 Kib of block RAMs with one port each way (UG473), and their bytes.
RAMB18 = ((1, 14, 1), (2, 13, 1), (4, 12, 1), (9, 11, 1), (18, 10, 1), (36, 9, 1))
SHAPES = (*RAMB18, *((bits, address + 1, 2) for bits, address, _ in RAMB18), (72, 9, 2))
BYTE = 9
# What Yosys 0.23 minimises (memory_libmap, brams_xc4v.txt): block RAMs, and bits of multiplexers beside them.
COSTS = {1: 129, 2: 257}
COST_OF_CHOICE = 0.5
# Words of a bit that are one LUT; Yosys takes logic to cost as much.
BITS_A_LUT = 64
# Bits of the wider factor of a DSP48E1 (UG479).
DSP_WIDTH = 25
# Up to so many words a FIFO lies in shift registers and in LUT RAM, see hls_projects/verilog/modules/fifo.v.
FIFO_LINES, FIFO_LUT_RAM = 32, 256


class CostError(LookupError):
    """An operator that was not calibrated, or whose features the calibration does not know."""


@dataclass(frozen=True)
class Resources:
    """A demand of an FPGA's resources; sums add up.

    Args:
        LUT: look-up tables, those of LUT RAMs and shift registers among them.
        FF: flip-flops.
        BRAM36: block RAMs of 36 Kib, one of 18 Kib counts 0.5.
        DSP: DSP48 slices.
    """

    LUT: float = 0.0
    FF: float = 0.0
    BRAM36: float = 0.0
    DSP: float = 0.0

    def __add__(self, other: Resources) -> Resources:
        return Resources(*(mine + others for mine, others in zip(self.values(), other.values(), strict=True)))

    def values(self) -> tuple[float, ...]:
        """In the order of :data:`KINDS`."""
        return self.LUT, self.FF, self.BRAM36, self.DSP


@dataclass(frozen=True)
class Demand:
    """What the resources of an operator with its folding follow from.

    Args:
        kind: which table of coefficients the features have, such as ``ResidualAdd``.
        features: counts that LUTs and flip-flops grow with, such as bits of adders.
        BRAM36, DSP: counted, see :class:`Resources`.
    """

    kind: str
    features: Mapping[str, float]
    BRAM36: float = 0.0
    DSP: float = 0.0


KINDS = tuple(field.name for field in fields(Resources))


@dataclass(frozen=True)
class Cost:
    """What an operator with its folding takes.

    Args:
        cycles: between two images where neither input nor output ever waits.
    """

    cycles: int
    resources: Resources


def resources(demand: Demand) -> Resources:
    """LUT and FF by the calibration, BRAM36 and DSP as counted.

    Raises:
        CostError: the calibration does not know the kind, or not these features of it.
    """
    kind = load_model(MODEL)["kinds"].get(demand.kind)
    if kind is None:
        raise CostError(
            f"{demand.kind} has no cost model; add it to the grid of hls_projects.calibration.calibrate and run it"
        )
    coefficients = kind["coefficients"]
    if coefficients["LUT"].keys() != demand.features.keys():
        differ = ", ".join(sorted(coefficients["LUT"].keys() ^ demand.features.keys()))
        raise CostError(
            f"{demand.kind} was calibrated with other features ({differ}); run hls_projects.calibration.calibrate"
        )
    found = {name: weighted(row, demand.features) for name, row in coefficients.items()}
    return Resources(**found, BRAM36=demand.BRAM36, DSP=demand.DSP)


def weighted(coefficients: Mapping[str, float], features: Mapping[str, float]) -> float:
    return sum(coefficient * features[name] for name, coefficient in coefficients.items())


@functools.cache
def load_model(path: Path) -> dict:
    """The calibration's result, see :mod:`hls_projects.calibration.fit`.

    Raises:
        CostError: no calibration has been done.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CostError(f"no cost model {path}: {error.strerror}; run hls_projects.calibration.calibrate") from error


@dataclass(frozen=True)
class BlockRam:
    """A memory with one port each way in block RAM, as Yosys maps it.

    All block RAMs have the shape that costs least. Where it is too shallow, several words lie side by side and a
    multiplexer chooses.

    Args:
        BRAM36: block RAMs of 36 Kib.
        choice_luts: of the multiplexer, roughly: a third of one for each bit beside the first word.
        cost: in Yosys's measure.
    """

    BRAM36: float
    choice_luts: int
    cost: float

    @classmethod
    @functools.lru_cache(maxsize=1 << 16)
    def of(cls, width: int, words: int, *, element: int = 0, written: bool = True) -> BlockRam:
        """Of so many words of ``width`` bits.

        Args:
            element: bits that are written on their own, where it is not the whole word.
            written: False for a memory that is only read; the others take whole bytes.
        """
        enables = width // element if element else 1
        found = []
        for bits, address, halves in SHAPES:
            beside = math.ceil(words / (1 << address))
            byte = min(BYTE, bits)
            taken = enables * byte * math.ceil(width / enables / byte) if written else width
            rams = math.ceil(taken * beside / bits)
            choice = width * (beside - 1) + (enables * beside if written and beside > 1 else 0)
            cost = COSTS[halves] * rams + COST_OF_CHOICE * choice
            found.append(cls(rams * halves / 2, math.ceil(width * (beside - 1) / 3), cost))
        return min(found, key=lambda ram: ram.cost)


def lut_ram(width: int, words: int, readers: int = 1) -> int:
    """LUTs of a RAM in LUTs: four hold 6 bits of 32 words for one reader, 2 bits for three of them."""
    bits = (6 if readers == 1 else 2) // (1 if words <= 32 else 2)
    return 4 * math.ceil(width / bits) * math.ceil(words / 64) * math.ceil(readers / 3)


@dataclass(frozen=True)
class Rom:
    """A memory that is only read, as Yosys maps it: as logic, or as block RAM where that is cheaper.

    Args:
        luts: different functions that 64 words of a bit are of their address.
        tree_luts: of trees of up to four LUTs a bit with the slice's own multiplexers, by how many bits of the
            address the bit depends on.
        choice_luts: of the multiplexer behind more than four LUTs of a bit, or behind the block RAMs.
        BRAM36: block RAMs.
    """

    luts: int
    tree_luts: int
    choice_luts: int
    BRAM36: float

    @classmethod
    def of(cls, width: int, words: np.ndarray) -> Rom:
        """From its contents, integers of ``width`` bits."""
        ram = BlockRam.of(width, len(words), written=False)
        if width * len(words) / BITS_A_LUT > ram.cost:
            return cls(0, 0, ram.choice_luts, ram.BRAM36)
        address = max((len(words) - 1).bit_length(), 6)
        padded = np.pad(words.astype(np.int64), (0, (1 << address) - len(words)))
        bits = (padded >> np.arange(width)[:, None]) & 1
        halves = (bits.reshape(width, -1, 2, 1 << place) for place in range(address))
        depends = sum((half[:, :, 0] != half[:, :, 1]).any(axis=(1, 2)).astype(int) for half in halves)
        trees = np.where(depends > 0, np.clip((1 << depends) // BITS_A_LUT, 1, 4), 0)
        fours = math.ceil(len(words) / BITS_A_LUT / 4)
        return cls(_functions(bits), int(trees.sum()), int((depends > 8).sum()) * (fours - 1), 0.0)


def _functions(bits: np.ndarray) -> int:
    """How many functions of six inputs there are among the bits of a memory, but for constants and inputs."""
    blocks = bits.reshape(-1, BITS_A_LUT)
    # A function and its inverse are one: the one that begins with 0.
    functions = np.unique(blocks ^ blocks[:, :1], axis=0)
    inputs = (np.arange(BITS_A_LUT) >> np.arange(6)[:, None]) & 1
    free = ~functions.any(axis=1) | (functions[:, None] == inputs).all(axis=2).any(axis=1)
    return int((~free).sum())


def rom_luts(width: int, words: int) -> int:
    """LUTs of a memory that is logic, where it is as irregular as can be: 64 words of a bit for each."""
    return width * math.ceil(words / 64)


def fifo_resources(word_bits: int, depth: int) -> Resources:
    """A FIFO of ``depth`` words (``fifo.sv``); nothing where a word has no bits, or there is one."""
    return resources(fifo_demand(word_bits, depth)) if word_bits and depth > 1 else Resources()


def fifo_demand(word_bits: int, depth: int) -> Demand:
    """FIFOs of two words and more; in shift registers, in LUT RAM and in block RAM they have their own coefficients."""
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
    """A stream that goes to ``copies`` readers, ``hls_projects/verilog/modules/stream_fork.v``."""
    return resources(clone_demand(copies, word_bits))


def clone_demand(copies: int, word_bits: int) -> Demand:
    return Demand("Fork", {"one": 1, "copies": copies, "word_bits": word_bits})
