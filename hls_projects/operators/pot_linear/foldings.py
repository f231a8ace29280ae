"""Foldings of the linear layer that are worth a thought."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hls_projects.cost import BlockRam
from hls_projects.operators.base import Folding
from hls_projects.operators.pot_linear import layout
from hls_projects.operators.pot_linear.layout import BLOCK, KEPT

if TYPE_CHECKING:
    from hls_projects.operators.pot_linear import PotLinear


def foldings(operator: PotLinear) -> Iterator[Folding]:
    """See :meth:`hls_projects.operators.HardwareOperator.foldings`.

    Only as many outputs in parallel as change the number of groups; two tokens at a time only where they take fewer
    block RAMs than twice as many outputs of one; a second buffer of results where groups may wait for the first.
    """
    outputs = operator.size("n_out")
    kinds = [kind for kind in layout.KINDS if not kind[1] or operator.can_skip_zeros()]
    parts = layout.Parts.of(operator.weights())
    shape = {kind: _shape(operator, parts, *kind) for kind in kinds}
    tokens = (1,) if operator.size("n_tokens") % 2 else (1, 2)
    for pe in sorted({math.ceil(outputs / groups) for groups in range(1, outputs + 1)}):
        for element, sparse in kinds:
            for parallel in tokens:
                if parallel == 2 and not _saves_block_rams(pe, outputs, *shape[element, sparse]):
                    continue
                waits = sparse and pe < outputs and pe * parallel > KEPT + operator.powers
                for buffers in (1, 2) if waits else (1,):
                    for ram_style in layout.RAM_STYLES:
                        yield {
                            "pe": pe,
                            "simd": 1,
                            "parallel_tokens": parallel,
                            "element": element,
                            "sparse": sparse,
                            "ram_style": ram_style,
                            "result_buffers": buffers,
                        }


def _shape(operator: PotLinear, parts: layout.Parts, element: str, sparse: int) -> tuple[int, int]:
    """Bits of a weight, words of a group of outputs."""
    steps = operator.size("n_in") // BLOCK * KEPT if sparse else operator.size("n_in")
    return layout.word_width(operator, parts, element, sparse), steps + (element == "bucket")


def _saves_block_rams(pe: int, outputs: int, width: int, words: int) -> bool:
    def block_rams(pe: int) -> float:
        return BlockRam.of(pe * width, math.ceil(outputs / pe) * words, written=False).BRAM36

    return 2 * pe > outputs or block_rams(pe) < block_rams(2 * pe)
