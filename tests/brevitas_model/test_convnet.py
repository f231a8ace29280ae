"""The convolutional teacher of few epochs: whitening, shapes, size, mirror images, and that it can be taught."""

from __future__ import annotations

import pytest
import torch

from brevitas_model.config import ConfigError
from brevitas_model.convnet import ConvNet, ConvNetConfig
from brevitas_model.models import build_model, config_from_dict
from brevitas_model.vit import count_parameters
from tests.support.models import noise


def make_model(**fields: object) -> ConvNet:
    torch.manual_seed(0)
    return build_model(ConvNetConfig(**({"width": 24, "wide": 1} | fields)))


def pixels(count: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(noise(count, seed)).float()


@torch.no_grad()
def test_whitened_patches_are_uncorrelated():
    model = make_model()
    smooth = torch.nn.functional.avg_pool2d(pixels(64).permute(0, 3, 1, 2), 3, 1, 1).permute(0, 2, 3, 1)
    model.whiten(smooth)
    seen = model.whitening((smooth.permute(0, 3, 1, 2) - 128) / 64)
    first, second = seen.transpose(0, 1).flatten(1).chunk(2)
    torch.testing.assert_close(first, -second)
    moments = first @ first.T / first.shape[1]
    torch.testing.assert_close(moments, torch.diag(moments.diagonal()), rtol=0, atol=2e-3)
    assert bool((moments.diagonal() > 0.9).all()) and bool((moments.diagonal() <= 1.0).all())


@torch.no_grad()
def test_a_mirror_image_has_the_same_answer():
    model, mirrored = make_model().eval(), make_model(mirrored=True).eval()
    images = pixels(3)
    both = [model(images), model(images.flip(2))]
    assert not torch.allclose(*both)
    torch.testing.assert_close(mirrored(images), (both[0] + both[1]) / 2)
    torch.testing.assert_close(mirrored(images.flip(2)), mirrored(images))
    torch.testing.assert_close(mirrored.train()(images), make_model().train()(images))


@pytest.mark.parametrize("width, wide", [(24, 1), (30, 2), (64, 4)])
def test_parameter_count(width: int, wide: int):
    model = ConvNet(ConvNetConfig(width=width, wide=wide))
    assert model.eval()(pixels(2)).shape == (2, 10)
    last = width * wide
    filters = 9 * (24 * width + width * width + width * last + 3 * last * last)
    norms = 2 * (2 * width + 4 * last)
    assert count_parameters(model) == 24 * (12 + 1) + filters + norms + 10 * last


def test_it_learns():
    model, labels = make_model(), torch.arange(14) % 7
    model.whiten(pixels(14))
    whitening = model.whitening.weight.clone()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.2, momentum=0.8, nesterov=True)
    losses = []
    for _ in range(30):
        loss = torch.nn.functional.cross_entropy(model.train()(pixels(14)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 4 and torch.equal(model.whitening.weight, whitening)


@pytest.mark.parametrize(
    "field, value, message",
    [
        ("width", 23, "width must be an integer of 24 to 4096, not 23"),
        ("width", 1.5, "width must be an integer of 24 to 4096, not 1.5"),
        ("wide", 0, "wide must be an integer of 1 to 4096, not 0"),
        ("wide", True, "wide must be an integer of 1 to 4096, not True"),
        ("num_classes", 1, "num_classes must be an integer of 2 to 4096, not 1"),
        ("mirrored", 1, "mirrored must be true or false, not 1"),
    ],
)
def test_impossible_values(field: str, value: object, message: str):
    with pytest.raises(ConfigError, match=message):
        config_from_dict({"architecture": "convnet", field: value})
