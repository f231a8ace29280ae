"""Augmentation: an image of a view is the view's alone, and targets say what the pixels show."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from brevitas_model.training.augmentation import CROP_PADDING, View, generator, order
from brevitas_model.training.data import Dataset
from brevitas_model.training.recipe import Augmentation
from tests.support.models import noise

COUNT = 64
IMAGES = Dataset(noise(COUNT), np.arange(COUNT) % 10)
MIXED = Augmentation(mixup=0.4, cutmix=0.4)
# Every image of one value of its own, so that pixels tell which of the two they come from.
FLAT = Dataset(np.arange(100, 100 + COUNT, dtype=np.uint8).repeat(32 * 32 * 3).reshape(-1, 32, 32, 3), np.arange(COUNT))
EVERYTHING = torch.arange(COUNT)


def view_of(augmentation: Augmentation, number: int = 0, dataset: Dataset = IMAGES) -> View:
    return View(dataset, augmentation, generator(0, 0, number))


def still(augmentation: Augmentation, number: int = 0) -> View:
    """Flat images, uncropped."""
    view = view_of(augmentation, number, FLAT)
    view.shift.fill_(CROP_PADDING)
    return view


@settings(deadline=None, max_examples=30)
@given(chosen=st.lists(st.integers(0, COUNT - 1), min_size=1, max_size=20))
def test_a_image_does_not_depend_on_its_batch(chosen: list[int]):
    view = view_of(MIXED)
    together = view.pixels(EVERYTHING)
    batch = torch.tensor(chosen)
    assert torch.equal(view.pixels(batch), together[batch])
    assert torch.equal(view.targets(batch, 10), view.targets(EVERYTHING, 10)[batch])


def test_a_view_is_its_number():
    assert len(view_of(MIXED)) == COUNT
    same, again, other = (view_of(MIXED, number).pixels(EVERYTHING) for number in (3, 3, 4))
    assert torch.equal(same, again)
    assert (same != other).flatten(1).any(dim=1).float().mean() > 0.9


def test_views_repeat():
    assert [Augmentation(views=3).view(epoch) for epoch in range(7)] == [0, 1, 2, 0, 1, 2, 0]
    assert [Augmentation().view(epoch) for epoch in range(4)] == [0, 1, 2, 3]


def test_crops_and_flips_only():
    images = torch.from_numpy(IMAGES.images)
    made = view_of(Augmentation()).pixels(EVERYTHING)
    assert made.shape == images.shape and made.dtype == torch.float32
    padded = torch.nn.functional.pad(images, (0, 0, 4, 4, 4, 4)).float()
    flips, places = 0, set()
    for index, image in enumerate(made):
        found = [
            (flip, row, column)
            for flip in (False, True)
            for row in range(9)
            for column in range(9)
            if torch.equal(image.flip(1) if flip else image, padded[index, row : row + 32, column : column + 32])
        ]
        assert len(found) == 1
        flips += found[0][0]
        places.add(found[0][1:])
    assert COUNT // 4 < flips < COUNT * 3 // 4 and len(places) > COUNT // 3
    for axis in (0, 1):
        assert {place[axis] for place in places} == set(range(9))


def test_without_mixing_targets_are_the_labels():
    targets = view_of(Augmentation()).targets(EVERYTHING, 10)
    assert torch.equal(targets, torch.nn.functional.one_hot(torch.from_numpy(IMAGES.labels), 10).float())


@pytest.mark.parametrize("number", range(3))
def test_cutmix_targets_are_the_share_of_the_pixels(number: int):
    view = still(Augmentation(cutmix=1.0), number)
    pixels, targets = view.pixels(EVERYTHING), view.targets(EVERYTHING, COUNT)
    shares = []
    for index, partner in enumerate(view.partner.tolist()):
        values = pixels[index]
        assert set(values.unique().tolist()) <= {100.0 + index, 100.0 + partner}
        own = float((values == 100 + index).float().mean())
        expected = torch.zeros(COUNT)
        expected[partner] += 1 - own
        expected[index] += own
        torch.testing.assert_close(targets[index], expected)
        pasted = (values == 100 + partner).all(dim=2)
        rows, columns = pasted.any(dim=1), pasted.any(dim=0)
        assert torch.equal(pasted, rows[:, None] & columns[None, :])  # one box
        shares.append(1 - own)
    assert min(shares) < 0.1 and max(shares) > 0.5


@pytest.mark.parametrize("number", range(3))
def test_mixup_targets_are_the_share_of_the_values(number: int):
    view = still(Augmentation(mixup=1.0), number)
    pixels, targets = view.pixels(EVERYTHING), view.targets(EVERYTHING, COUNT)
    assert pixels.flatten(1).var(dim=1).max() < 1e-6
    blend = (targets * (EVERYTHING + 100)).sum(dim=1)
    torch.testing.assert_close(pixels[:, 0, 0, 0], blend, rtol=1e-5, atol=1e-3)
    shares = targets[EVERYTHING, EVERYTHING]
    assert shares.min() < 0.2 and shares.max() > 0.8


@settings(deadline=None, max_examples=30)
@given(
    shares=st.tuples(st.floats(0, 1), st.floats(0, 1)).filter(lambda pair: sum(pair) <= 1),
    number=st.integers(0, 1000),
)
def test_targets_are_probabilities(shares: tuple[float, float], number: int):
    view = view_of(Augmentation(mixup=shares[0], cutmix=shares[1]), number)
    targets = view.targets(EVERYTHING, 10)
    assert targets.shape == (COUNT, 10) and float(targets.min()) >= 0
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(COUNT))
    pixels = view.pixels(EVERYTHING)
    assert pixels.min() >= 0 and pixels.max() <= 255


def test_shares_of_the_images_are_those_asked_for():
    count = 2000
    dataset = Dataset(np.zeros((count, 4, 4, 3), dtype=np.uint8), np.zeros(count, dtype=np.int64))
    view = view_of(Augmentation(mixup=0.2, cutmix=0.3), dataset=dataset)
    assert not (view.mixed & view.pasted).any()
    assert float(view.mixed.float().mean()) == pytest.approx(0.2, abs=0.04)
    assert float(view.pasted.float().mean()) == pytest.approx(0.3, abs=0.04)
    assert (view.share[~view.mixed & ~view.pasted] == 0).all()


@pytest.mark.parametrize("count, batch_size, shown", [(70, 32, 64), (64, 32, 64), (31, 32, 0), (5, 1, 5)])
def test_an_epoch_shows_each_image_once(count: int, batch_size: int, shown: int):
    parts = list(order(count, batch_size, generator(0, 1, 0)))
    assert all(len(part) == batch_size for part in parts)
    flat = torch.cat([*parts, torch.zeros(0, dtype=torch.long)]).tolist()
    assert len(flat) == len(set(flat)) == shown and set(flat) <= set(range(count))


def test_epochs_have_orders_of_their_own():
    first, again, other = (torch.cat(list(order(64, 16, generator(0, 1, epoch)))).tolist() for epoch in (0, 0, 1))
    assert first == again != other


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=3), st.integers(0, 2))
def test_every_tuple_of_numbers_has_a_stream(numbers: list[int], place: int):
    """A seed may be a date or a random word of 63 bits."""
    other = list(numbers)
    other[place % len(numbers)] += 1
    draws = [torch.rand(4, generator=generator(*parts)).tolist() for parts in (numbers, numbers, other)]
    assert draws[0] == draws[1] != draws[2]
