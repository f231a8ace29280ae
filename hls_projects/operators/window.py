"""Which keys the queries of a tile see, and where they lie in a query's word."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from hls_projects.dataflow.patterns import Ports, around, block_of, stretch
from hls_projects.dataflow.program import Program, Read, Repeat, Write, claim, fill, free, take
from hls_projects.operators.base import HardwareOperator, Stage


@dataclass(frozen=True)
class Window:
    """The last ``n_window`` keys that have arrived when a tile of queries is served.

    Args:
        n_tokens: queries, and keys, of an image.
        tile_size: queries that are served one after another without new keys.
        load_size: keys that arrive before a tile of queries, while there are any: ``tile_size``, or
            ``n_tokens`` where every query sees every key.
        n_window: keys that are kept, and slots of a query's word for each head.
    """

    n_tokens: int
    tile_size: int
    load_size: int
    n_window: int

    @classmethod
    def whole(cls, n_tokens: int, tile_size: int) -> Window:
        """Every query sees every key."""
        return cls(n_tokens, tile_size, n_tokens, n_tokens)

    @classmethod
    def of_tiles(cls, n_tokens: int, tile_size: int, context_tiles: int) -> Window:
        """A query sees the keys of its tile and of ``context_tiles`` tiles before it."""
        return cls(n_tokens, tile_size, tile_size, (context_tiles + 1) * tile_size)

    @classmethod
    def of_mask(cls, seen: np.ndarray) -> Window | None:
        """The window of a mask, (n_tokens, n_tokens), 1 where a query sees a key; None if it is of none."""
        n_tokens = len(seen)
        # The first query sees its own tile and no more, the last one a whole window.
        tile_size, n_window = (int(np.count_nonzero(row)) for row in (seen[0], seen[-1]))
        if not tile_size or n_tokens % tile_size or n_window % tile_size:
            return None
        window = cls.of_tiles(n_tokens, tile_size, n_window // tile_size - 1)
        return window if np.array_equal(window.mask(), seen) else None

    def keys(self) -> np.ndarray:
        """Key of every query's slots, (n_tokens, n_window); negative in slots that are not valid."""
        tile = np.arange(self.n_tokens) // self.tile_size
        arrived = np.minimum((tile + 1) * self.load_size, self.n_tokens)
        return arrived[:, None] - self.n_window + np.arange(self.n_window)

    def mask(self) -> np.ndarray:
        """1 where a query sees a key, (n_tokens, n_tokens)."""
        return self.scatter(np.ones((self.n_tokens, self.n_window), dtype=np.int64))

    def gather(self, full: np.ndarray) -> np.ndarray:
        """Windows of an array over all keys, (..., n_tokens, n_tokens) -> (..., n_tokens, n_window); 0 elsewhere."""
        keys = self.keys()
        index = np.broadcast_to(np.maximum(keys, 0), (*full.shape[:-1], self.n_window))
        return np.where(keys >= 0, np.take_along_axis(full, index, axis=-1), 0)

    def scatter(self, windows: np.ndarray) -> np.ndarray:
        """The inverse of :meth:`gather`: 0 at the keys that a query does not see."""
        keys = self.keys()
        full = np.zeros((*windows.shape[:-1], self.n_tokens), dtype=windows.dtype)
        full[..., np.nonzero(keys >= 0)[0], keys[keys >= 0]] = windows[..., keys >= 0]
        return full

    def scores(self) -> int:
        """Pairs of a query and a key that it sees."""
        return int(np.count_nonzero(self.keys() >= 0))


WINDOW_SIZES = tuple(field.name for field in fields(Window))


class WindowedOperator(HardwareOperator):
    """An operator of attention; the fields of its :class:`Window` are among its ``sizes``.

    What arrives at its second input, if it has one, is what it keeps the window of.
    """

    @property
    def window(self) -> Window:
        return Window(*(self.size(name) for name in WINDOW_SIZES))

    def storage_bits(self) -> int:
        # What the next image, or the next tile, is loaded into while this one is served.
        slots = self.window.n_window + self.window.load_size
        kept = self.input_shapes()[1:]
        return sum(slots * width * self.in_dtype(1).bitwidth() for _, width in kept)

    def attention_stages(self, *, query: int, key: int, result: int, groups: int, steps: int) -> tuple[Stage, ...]:
        """The stages of a product of queries with windows of keys.

        Args:
            query, key, result: elements of one, each an element a cycle.
            groups: of sums, for each query one after the other.
            steps: cycles of a group.
        """
        window = self.window
        windows = window.n_tokens // window.load_size
        served = window.n_tokens // windows
        loaded = window.load_size * key
        sums = result // groups

        def products(first: Ports, last: Ports) -> Program:
            """The groups of a query; ``first`` and ``last`` move beside its first and last cycle."""

            def group(first: Ports, last: Ports) -> Program:
                return stretch(steps, first=first, last=(claim("groups"), fill("groups"), *last))

            return around(groups, group, (take("queries"), *first), (free("queries"), *last))

        def collect(first: Ports, last: Ports) -> Program:
            return stretch(sums, first=(take("groups"), *first), last=(free("groups"), *last))

        programs = {
            "load_windows": (Repeat(windows, block_of(loaded, (Read("in1"),), "windows")),),
            "load_queries": (Repeat(window.n_tokens, block_of(query, (Read("in0"),), "queries")),),
            "multiply": (Repeat(windows, around(served, products, (take("windows"),), (free("windows"),))),),
            "requantize": (Repeat(window.n_tokens, around(groups, collect, (claim("rows"),), (fill("rows"),))),),
            "write": (
                Repeat(window.n_tokens, stretch(result, (Write("out"),), first=(take("rows"),), last=(free("rows"),))),
            ),
        }
        return tuple(Stage(name, program) for name, program in programs.items())
