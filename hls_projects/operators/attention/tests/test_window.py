"""Windows hold the keys that the definition names, and masks are recognised or refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hls_projects.operators import AttentionScores, AttentionValues
from hls_projects.operators.attention.window import Window
from tests.support.operators import make_operator

tilings = st.tuples(st.integers(1, 6), st.integers(1, 5), st.integers(0, 6))


def naive_mask(n_tokens: int, tile_size: int, context_tiles: int) -> np.ndarray:
    mask = np.zeros((n_tokens, n_tokens), dtype=int)
    for query, key in np.ndindex(mask.shape):
        mask[query, key] = 0 <= query // tile_size - key // tile_size <= context_tiles
    return mask


@given(tiling=tilings)
def test_a_window_of_tiles_is_its_mask(tiling):
    tile_size, tiles, context_tiles = tiling
    n_tokens = tile_size * tiles
    window, mask = Window.of_tiles(n_tokens, tile_size, context_tiles), naive_mask(n_tokens, tile_size, context_tiles)
    np.testing.assert_array_equal(window.mask(), mask)
    assert window.scores() == mask.sum()
    found = Window.of_mask(mask)
    np.testing.assert_array_equal(found.mask(), mask)
    assert found == Window.of_tiles(n_tokens, tile_size, min(context_tiles, tiles - 1))


@pytest.mark.parametrize("tile_size", [1, 2, 3, 5])
def test_every_key_is_seen_whatever_the_tile(tile_size):
    window = Window.whole(5, tile_size)
    assert window.keys().tolist() == [list(range(5))] * 5 and window.scores() == 25
    full = np.arange(50).reshape(2, 5, 5)
    assert np.array_equal(window.gather(full), full) and np.array_equal(window.scatter(full), full)


@given(tiling=tilings)
def test_gather_and_scatter_keep_what_is_seen(tiling):
    tile_size, tiles, context_tiles = tiling
    window = Window.of_tiles(tile_size * tiles, tile_size, context_tiles)
    full = np.arange(1, 2 * window.n_tokens**2 + 1).reshape(2, window.n_tokens, window.n_tokens)
    gathered = window.gather(full)
    assert gathered.shape == (2, window.n_tokens, window.n_window)
    assert np.array_equal(gathered == 0, np.broadcast_to(window.keys() < 0, gathered.shape))
    assert np.array_equal(window.scatter(gathered), full * window.mask())


@given(tiling=tilings.filter(lambda tiling: tiling[1] > 1), data=st.data())
def test_a_mask_with_one_wrong_element_is_of_no_window(tiling, data):
    tile_size, tiles, context_tiles = tiling
    mask = naive_mask(tile_size * tiles, tile_size, context_tiles)
    place = tuple(data.draw(st.integers(0, len(mask) - 1)) for _ in mask.shape)
    mask[place] = 1 - mask[place]
    found = Window.of_mask(mask)
    assert found is None or np.array_equal(found.mask(), mask)


@pytest.mark.parametrize(
    "mask",
    [
        np.zeros((4, 4)),
        np.eye(4)[::-1],
        naive_mask(4, 2, 0).T * 0.5,
        np.triu(np.ones((4, 4))),
        naive_mask(4, 2, 1).T,
        naive_mask(6, 4, 0),
    ],
)
def test_other_masks_are_of_no_window(mask):
    assert Window.of_mask(mask) is None


@pytest.mark.parametrize("operator", [AttentionScores, AttentionValues])
@pytest.mark.parametrize("n_window", [4, 6])
def test_storage_is_the_window_of_what_is_kept(operator, n_window):
    """Codes of the second input, of all heads; and what comes next while they are in use."""
    sizes = {"n_tokens": 6, "tile_size": 2, "load_size": 2, "n_window": n_window, "n_heads": 3, "head_dim": 5}
    made = make_operator(operator, ["INT8", "INT4"], "INT8", **sizes, out_shift=9)
    assert made.storage_bits() == (n_window + 2) * 3 * 5 * 4
