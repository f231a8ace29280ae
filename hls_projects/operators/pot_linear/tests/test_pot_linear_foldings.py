"""The foldings that are offered fit, and those with two tokens at a time, or two results, are there for a reason."""

from __future__ import annotations

import numpy as np
import pytest

from hls_projects.operators.pot_linear.demand import weight_memory
from hls_projects.operators.pot_linear.tests.test_pot_linear_twin import layer


def folded(**attributes):
    return layer(np.random.default_rng(0), **({"n_in": 96, "n_out": 96, "sparse": 1, "n_tokens": 4} | attributes))


def weights_block_rams(operator, folding, **changes):
    operator.fold(folding | changes)
    return weight_memory(operator.geometry, operator.weights).BRAM36


def test_foldings_fit_and_have_every_attribute():
    operator = folded()
    found = list(operator.foldings())
    assert len({tuple(folding.values()) for folding in found}) == len(found)
    for folding in found:
        assert set(folding) == set(operator.fold_attributes())
        operator.fold(folding)
        operator.check_folding()


def test_two_tokens_take_fewer_block_rams_than_twice_as_many_outputs():
    operator = folded()
    pairs = [folding for folding in operator.foldings() if folding["parallel_tokens"] == 2]
    found = {(folding["pe"], folding["sparse"]) for folding in pairs if folding["element"] == "bucket"}
    # 490 words of 90 bits for 245 of 180, but 970 of 50 for 485 of 100.
    assert (10, 1) in found and (10, 0) not in found
    for folding in (folding for folding in pairs if 2 * folding["pe"] <= 96):
        single = weights_block_rams(operator, folding, parallel_tokens=1, pe=2 * folding["pe"])
        assert weights_block_rams(operator, folding) < single


@pytest.mark.parametrize("n_tokens", [1, 17])
def test_two_tokens_need_an_even_number(n_tokens):
    assert {folding["parallel_tokens"] for folding in folded(n_tokens=n_tokens).foldings()} == {1}


def test_a_second_result_is_for_groups_that_follow_each_other_fast():
    operator = folded()
    for folding in operator.foldings():
        if folding["result_buffers"] == 1:
            continue
        operator.fold(folding)
        two = operator.cycles()
        operator.fold(folding | {"result_buffers": 1})
        assert folding["sparse"] and two <= operator.cycles()


def test_the_ram_of_tokens_changes_no_cycles_but_everything_else_does():
    operator = folded(element="bucket", pe=24)
    cycles = operator.cycles()
    for changes, factor in [
        ({"ram_style": "distributed"}, 1),
        ({"sparse": 0}, 0),
        ({"n_tokens": 8}, 2),
        ({"pe": 48}, 0),
    ]:
        other = folded(element="bucket", pe=24)
        for name, value in changes.items():
            other.set_nodeattr(name, value)
        assert (other.cycles() == factor * cycles) == (factor > 0)
