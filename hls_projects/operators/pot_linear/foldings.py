"""Foldings of the linear layer that are worth considering."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from hls_projects.cost import BlockRam
from hls_projects.operators.base import Folding
from hls_projects.operators.pot_linear.geometry import KINDS, STEPS_OF_BLOCK, Layer, Widths
from hls_projects.operators.pot_linear.weights import BLOCK

RAM_STYLES = ("block", "distributed")


def foldings(layer: Layer, widths_of: Callable[[str, int], Widths]) -> Iterator[Folding]:
    """See :meth:`hls_projects.operators.HardwareOperator.foldings`.

    Of all numbers of outputs that work in parallel only those that change the number of groups; two tokens together
    only where they take fewer block RAMs than twice as many outputs of one; a second buffer of results where a group
    may wait until the one before it has been read out.

    Args:
        widths_of: widths of an element, with zeros skipped or not.
    """
    outputs = layer.n_out
    kinds = [kind for kind in KINDS if not kind[1] or layer.can_skip_zeros]
    words = {kind: _weight_words(layer, widths_of(*kind), *kind) for kind in kinds}
    tokens = (1,) if layer.n_tokens % 2 else (1, 2)
    for pe in sorted({math.ceil(outputs / groups) for groups in range(1, outputs + 1)}):
        for element, sparse in kinds:
            for parallel in tokens:
                if parallel == 2 and not _saves_block_rams(pe, outputs, *words[element, sparse]):
                    continue
                waits = sparse and pe < outputs and pe * parallel > STEPS_OF_BLOCK + layer.powers
                for buffers in (1, 2) if waits else (1,):
                    for ram_style in RAM_STYLES:
                        yield {
                            "pe": pe,
                            "simd": 1,
                            "parallel_tokens": parallel,
                            "element": element,
                            "sparse": sparse,
                            "ram_style": ram_style,
                            "result_buffers": buffers,
                        }


def _weight_words(layer: Layer, widths: Widths, element: str, sparse: int) -> tuple[int, int]:
    """Bits of a weight, words of a group of outputs."""
    steps = layer.n_in // BLOCK * STEPS_OF_BLOCK if sparse else layer.n_in
    return widths.word, steps + (element == "bucket")


def _saves_block_rams(pe: int, outputs: int, width: int, words: int) -> bool:
    """Whether two tokens with ``pe`` outputs each need fewer block RAMs for weights than one with twice as many."""

    def block_rams(pe: int) -> float:
        return BlockRam.of(pe * width, math.ceil(outputs / pe) * words, written=False).BRAM36

    return 2 * pe > outputs or block_rams(pe) < block_rams(2 * pe)
