"""Which images a stage sees, and which logits are held against which."""

from __future__ import annotations

import numpy as np
import pytest

from flows.building import stages
from flows.building.stages import PAIRS, compare_stages, mismatched_logits, sample_of


def names(**kind: object) -> list[str]:
    return [stage.name for stage in stages.stages(**kind)]


def test_stages_of_a_build():
    everything = names(with_torch=True, csim="fast")
    assert {name for pair in PAIRS for name in pair} == set(everything)
    assert set(everything) - set(names(with_torch=False, csim="fast")) == {"torch"}
    assert set(everything) - set(names(with_torch=True, csim="reference")) == {"csim_reference"}
    sampled = {stage.name for stage in stages.stages(with_torch=True, csim="fast") if stage.sampled}
    assert sampled == {"qonnx_reference", "lowered", "csim_reference"}


def test_reference_runs_every_image_where_it_is_asked_to():
    csim = stages.stages(with_torch=True, csim="reference")[-1]
    assert csim.name == "csim" and csim.run is stages.run_csim_reference and not csim.sampled


@pytest.mark.parametrize("count, size", [(10_000, 100), (7, 3), (5, 5), (3, 9), (1, 1)])
def test_sample_is_spread_over_the_images(count: int, size: int):
    sample = sample_of(count, size)
    assert len(sample) == min(size, count) and sample[0] == 0 and sample[-1] < count
    assert (np.diff(sample) >= count // len(sample)).all()


def logits(count: int = 6) -> np.ndarray:
    return np.arange(count * 10, dtype=np.float32).reshape(count, 10)


def test_a_sample_is_compared_with_its_own_images():
    sample = np.array([0, 2, 4])
    every = logits()
    given = {"torch": every, "qonnx": every, "csim": every, "lowered": every[sample], "csim_reference": every[sample]}
    found = compare_stages(given, {"lowered", "csim_reference"}, sample)
    assert [(tuple(pair["between"]), pair["images"]) for pair in found] == [
        (("torch", "qonnx"), 6), (("qonnx", "csim"), 6), (("lowered", "csim"), 3), (("csim_reference", "csim"), 3),
    ]  # fmt: skip
    assert mismatched_logits(found) == {
        "torch_qonnx": 0, "qonnx_reference_qonnx": None, "qonnx_csim": 0, "lowered_csim": 0, "csim_reference_csim": 0,
    }  # fmt: skip


def test_mismatches_are_counted_by_logit_and_by_image():
    wrong = logits()
    wrong[1, :3] += 1
    wrong[5, 9] -= 1
    (found,) = compare_stages({"torch": logits(), "qonnx": wrong}, set(), np.arange(6))
    assert (found["mismatched_logits"], found["mismatched_images"]) == (4, 2)


def test_a_mismatch_outside_the_sample_is_not_seen_in_it():
    every, sample = logits(), np.array([0, 3])
    wrong = every.copy()
    wrong[1] += 1
    found = compare_stages({"qonnx": every, "csim": wrong, "lowered": every[sample]}, {"lowered"}, sample)
    assert mismatched_logits(found)["lowered_csim"] == 0 and mismatched_logits(found)["qonnx_csim"] == 10
