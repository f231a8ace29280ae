"""The window of keys that a query sees, and the slots of these keys in a row of scores."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from hls_projects.operators.base import HardwareOperator


@dataclass(frozen=True)
class Window:
    """The last ``n_window`` keys that have arrived when a tile of queries is served.

    Before a tile of ``tile_size`` queries, ``load_size`` keys arrive. Windowed attention has
    ``load_size == tile_size``: each tile brings its own keys. Global attention has
    ``load_size == n_window == n_tokens``: all keys arrive before the first tile and serve every tile.

    Args:
        n_tokens: queries of an image, and keys.
        tile_size: queries that are served one after another without new keys.
        load_size: keys that arrive together, see above; divides ``n_tokens`` and ``n_window``.
        n_window: keys that are stored for the queries, and slots of each head's row of scores.
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
        """A query sees the keys of its own tile and of the ``context_tiles`` tiles before it."""
        return cls(n_tokens, tile_size, tile_size, (context_tiles + 1) * tile_size)

    @classmethod
    def of_mask(cls, seen: np.ndarray) -> Window | None:
        """The window that a mask describes, None if no window does.

        Args:
            seen: (n_tokens, n_tokens), 1 where a query (row) sees a key (column).
        """
        n_tokens = len(seen)
        # The first query sees its own tile and nothing else, the last one a whole window.
        tile_size, n_window = (int(np.count_nonzero(row)) for row in (seen[0], seen[-1]))
        if not tile_size or n_tokens % tile_size or n_window % tile_size:
            return None
        window = cls.of_tiles(n_tokens, tile_size, n_window // tile_size - 1)
        return window if np.array_equal(window.mask(), seen) else None

    def keys(self) -> np.ndarray:
        """Index of the key in each slot, (n_tokens, n_window); negative in a slot that is before the first key."""
        tile = np.arange(self.n_tokens) // self.tile_size
        arrived = np.minimum((tile + 1) * self.load_size, self.n_tokens)
        return arrived[:, None] - self.n_window + np.arange(self.n_window)

    def mask(self) -> np.ndarray:
        """1 where a query (row) sees a key (column), (n_tokens, n_tokens)."""
        return self.scatter(np.ones((self.n_tokens, self.n_window), dtype=np.int64))

    def gather(self, full: np.ndarray) -> np.ndarray:
        """Select each query's slots from an array over all keys; slots before the first key become 0.

        Args:
            full: (..., n_tokens, n_tokens).

        Returns:
            (..., n_tokens, n_window).
        """
        keys = self.keys()
        index = np.broadcast_to(np.maximum(keys, 0), (*full.shape[:-1], self.n_window))
        return np.where(keys >= 0, np.take_along_axis(full, index, axis=-1), 0)

    def scatter(self, windows: np.ndarray) -> np.ndarray:
        """Invert :meth:`gather`: move slots to the columns of their keys; keys that a query does not see get 0.

        Args:
            windows: (..., n_tokens, n_window).

        Returns:
            (..., n_tokens, n_tokens).
        """
        keys = self.keys()
        full = np.zeros((*windows.shape[:-1], self.n_tokens), dtype=windows.dtype)
        full[..., np.nonzero(keys >= 0)[0], keys[keys >= 0]] = windows[..., keys >= 0]
        return full

    def scores(self) -> int:
        """Number of pairs of a query and a key that it sees."""
        return int(np.count_nonzero(self.keys() >= 0))


WINDOW_SIZES = tuple(field.name for field in fields(Window))


class WindowedOperator(HardwareOperator):
    """An operator of attention: its ``sizes`` include the fields of its :class:`Window`."""

    @property
    def window(self) -> Window:
        return Window(*(self.size(name) for name in WINDOW_SIZES))
