"""The convolutional teacher: shapes, size, and that it can be taught."""

from __future__ import annotations

import pytest
import torch

from brevitas_model.config import ConfigError
from brevitas_model.models import build_model, config_from_dict
from brevitas_model.resnet import ResNet9, ResNet9Config
from brevitas_model.vit import count_parameters
from tests.support.models import noise


@pytest.fixture
def model() -> ResNet9:
    torch.manual_seed(0)
    return build_model(ResNet9Config(width=4, num_classes=7))


def pixels(count: int) -> torch.Tensor:
    return torch.from_numpy(noise(count)).float()


@torch.no_grad()
def test_logits(model: ResNet9):
    logits = model.eval()(pixels(3))
    assert logits.shape == (3, 7) and len({tuple(row.tolist()) for row in logits}) == 3
    torch.testing.assert_close(model(pixels(3)[1:2]), logits[1:2])


@torch.no_grad()
def test_pixels_are_centred(model: ResNet9):
    seen = []
    model.stem[0].register_forward_hook(lambda module, args, output: seen.append(args[0]))
    model.eval()(torch.tensor([0.0, 128.0, 192.0]).reshape(3, 1, 1, 1).expand(3, 8, 8, 3))
    assert seen[0].shape == (3, 3, 8, 8) and seen[0][:, 0, 0, 0].tolist() == [-2.0, 0.0, 1.0]


@pytest.mark.parametrize("width", [1, 4, 24])
def test_parameter_count(width: int):
    """Filters of 3×3 between 3, 1, 2, 2, 2, 4, 8, 8, 8 widths, two numbers a channel for each norm, and the head."""
    pairs = [(3 / width, 1), (1, 2), (2, 2), (2, 2), (2, 4), (4, 8), (8, 8), (8, 8)]
    filters = sum(9 * inputs * outputs for inputs, outputs in pairs) * width**2
    norms = 2 * width * sum(outputs for _, outputs in pairs)
    assert count_parameters(ResNet9(ResNet9Config(width=width))) == round(filters) + norms + 10 * (8 * width + 1)


def test_it_learns(model: ResNet9):
    labels = torch.arange(14) % 7
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(15):
        loss = torch.nn.functional.cross_entropy(model.train()(pixels(14)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 4


@pytest.mark.parametrize("field", ["width", "num_classes"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "4", True, None])
def test_impossible_sizes(field: str, value: object):
    with pytest.raises(ConfigError, match="must be an integer of"):
        config_from_dict({"architecture": "resnet9", field: value})
