"""Pruning makes the number of zeros that was asked for, and they stay where they are."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from brevitas_model.config import ConfigError
from brevitas_model.models import build_model
from brevitas_model.pruning import apply_masks, make_masks, matrices, ramp, removed, sparsity
from brevitas_model.training.recipe import Pruning
from tests.support.models import tiny_config

property_settings = settings(deadline=None, max_examples=60)
STRUCTURES = [*itertools.product(["block", "unstructured"], ["layer", "global"])]


def model_of(*shapes: tuple[int, int], values: int = 0, seed: int = 0) -> nn.Sequential:
    """Linear layers of (inputs, outputs), their weights random, or of ``values`` different ones."""
    random = torch.Generator().manual_seed(seed)
    model = nn.Sequential(*(nn.Linear(*shape) for shape in shapes))
    for index, layer in enumerate(model):
        weight = torch.randn(layer.weight.shape, generator=random) * 2.0**index
        if values:
            weight = torch.randint(0, values, layer.weight.shape, generator=random) - values / 2
        layer.weight.data.copy_(weight)
    return model


@st.composite
def models(draw: st.DrawFn, block: int) -> nn.Sequential:
    shape = st.tuples(st.integers(1, 4).map(lambda blocks: blocks * block), st.integers(1, 5))
    shapes = draw(st.lists(shape, min_size=1, max_size=3))
    return model_of(*shapes, values=draw(st.sampled_from([0, 0, 1, 2, 5])), seed=draw(st.integers(0, 99)))


def zeros_by_block(mask: torch.Tensor, block: int) -> torch.Tensor:
    return (~mask).reshape(-1, block).sum(dim=1)


def total_zeros(masks: dict[str, torch.Tensor]) -> tuple[int, int]:
    return sum(int((~mask).sum()) for mask in masks.values()), sum(mask.numel() for mask in masks.values())


def keeps_the_largest(weight: torch.Tensor, mask: torch.Tensor) -> bool:
    """No weight that went is larger than one that stayed, along the last axis."""
    magnitude = weight.detach().abs()
    gone = torch.where(mask, -1.0, magnitude).amax(dim=-1)
    kept = torch.where(mask, magnitude, torch.inf).amin(dim=-1)
    return bool((gone <= kept).all())


@property_settings
@given(data=st.data(), block=st.sampled_from([2, 4, 8]), share=st.floats(0.01, 0.99))
def test_layer_scope_promises_the_zeros_of_every_block(data: st.DataObject, block: int, share: float):
    model = data.draw(models(block))
    wanted = next(zeros for zeros in range(block + 1) if zeros >= share * block - 1e-9)
    pruning = Pruning(sparsity=share, block=block)
    if wanted == block:
        with pytest.raises(ConfigError, match=f"leaves nothing of a block of {block}"):
            make_masks(model, pruning)
        return
    for name, mask in make_masks(model, pruning).items():
        weight = model.get_submodule(name).weight
        assert mask.dtype == torch.bool and mask.shape == weight.shape
        assert set(zeros_by_block(mask, block).tolist()) == {wanted}
        assert keeps_the_largest(weight.reshape(-1, block), mask.reshape(-1, block))


@property_settings
@given(data=st.data(), block=st.sampled_from([2, 4, 8]), share=st.floats(0.01, 0.99))
def test_global_scope_promises_equal_blocks_and_the_total(data: st.DataObject, block: int, share: float):
    model = data.draw(models(block))
    pruning = Pruning(sparsity=share, block=block, scope="global")
    if share > 1 - 1 / block:
        with pytest.raises(ConfigError, match=f"leaves nothing of a block of {block}"):
            make_masks(model, pruning)
        return
    masks = make_masks(model, pruning)
    for name, mask in masks.items():
        counts = set(zeros_by_block(mask, block).tolist())
        assert len(counts) == 1 and counts.pop() < block
        assert keeps_the_largest(model.get_submodule(name).weight.reshape(-1, block), mask.reshape(-1, block))
    gone, total = total_zeros(masks)
    assert gone >= share * total - 1e-6
    # The last layer that gave one more zero a block was needed, unless its weights were zero already.
    if all(layer.weight.all() for layer in model):
        assert gone - max(mask.numel() // block for mask in masks.values()) < share * total


@pytest.mark.parametrize("scope", ["layer", "global"])
@property_settings
@given(data=st.data(), share=st.floats(0.01, 0.99))
def test_unstructured_counts_are_exact_even_with_ties(scope: str, data: st.DataObject, share: float):
    model = data.draw(models(2))
    masks = make_masks(model, Pruning(sparsity=share, structure="unstructured", scope=scope))
    weights = {name: model.get_submodule(name).weight for name in masks}
    if scope == "global":
        masks = {"all": torch.cat([mask.flatten() for mask in masks.values()])}
        weights = {"all": torch.cat([weight.flatten() for weight in weights.values()])}
    for name, mask in masks.items():
        gone, total = total_zeros({name: mask})
        assert share * total - 1e-6 <= gone < share * total + 1
        assert keeps_the_largest(weights[name].flatten(), mask.flatten())


def test_global_scope_takes_from_the_layer_with_small_weights():
    model = model_of((16, 4), (16, 4))  # the second has weights twice as large
    for structure in ("block", "unstructured"):
        masks = make_masks(model, Pruning(structure=structure, scope="global"))
        assert total_zeros({"": masks["0"]})[0] > 32 > total_zeros({"": masks["1"]})[0]


def test_the_first_of_equals_goes():
    model = model_of((8, 2), values=1)
    (mask,) = make_masks(model, Pruning(block=4)).values()
    assert mask.tolist() == [[False, False, True, True] * 2] * 2


@pytest.mark.parametrize("structure, scope", STRUCTURES)
@pytest.mark.parametrize("start", [0.0, 0.5], ids=["whole", "pruned"])
def test_ramp_is_monotone_while_weights_move(structure: str, scope: str, start: float):
    """What went stays away, though the weights that stayed change their order; the target is met exactly."""
    pruning = Pruning(sparsity=0.75, structure=structure, scope=scope, block=8, ramp_epochs=2)
    model = model_of((16, 3), (8, 7), (24, 5))
    masks = make_masks(model, pruning, start)
    apply_masks(model, masks)
    for step in range(11):
        for layer in model:
            noise = torch.randn(layer.weight.shape, generator=torch.Generator().manual_seed(step))
            layer.weight.data += 0.3 * noise
        apply_masks(model, masks)
        wanted = max(ramp(pruning, step * 0.2), removed(masks))
        later = make_masks(model, pruning, wanted if step < 10 else None)
        for name, mask in later.items():
            assert not (mask & ~masks[name]).any(), (step, name)
        masks = later
        apply_masks(model, masks)
    gone, total = total_zeros(masks)
    assert 0.75 * total <= gone <= 0.75 * total + 24 * 5 // 8
    assert sparsity(model) == gone / total == pytest.approx(removed(masks))


def test_ramp_is_a_cubic():
    pruning = Pruning(sparsity=0.8, ramp_epochs=4)
    shares = [ramp(pruning, epoch / 10) for epoch in range(60)]
    assert shares == sorted(shares) and shares[0] == 0
    assert shares[20] == pytest.approx(0.8 * (1 - 0.5**3)) and set(shares[40:]) == {0.8}
    assert ramp(Pruning(sparsity=0.8), 0) == 0.8


def test_masked_weights_stay_zero_through_optimizer_steps():
    model = model_of((16, 8), (8, 4))
    masks = make_masks(model, Pruning())
    apply_masks(model, masks)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.randn(4, 16)).square().sum().backward()
        optimizer.step()
        apply_masks(model, masks)
    for name, mask in masks.items():
        weight = model.get_submodule(name).weight
        assert torch.equal(weight != 0, mask)
    assert sparsity(model) == 0.5


def test_block_that_does_not_divide():
    with pytest.raises(ConfigError, match=r"pruning.block 8 does not divide the 12 inputs of 1"):
        make_masks(model_of((16, 12), (12, 4)), Pruning())
    make_masks(model_of((16, 12), (12, 4)), Pruning(skip=("1",)))


def test_skipped_layers_stay_whole():
    model = build_model(tiny_config(weight_format="float"))
    masks = make_masks(model, Pruning(skip=("head", "patch_embed")))
    assert set(masks) == set(matrices(model)) - {"head", "patch_embed"} and len(masks) == 6
    with pytest.raises(ConfigError, match=r"pruning.skip names no linear layer 'heads'; there are patch_embed, .*head"):
        make_masks(model, Pruning(skip=("head", "heads")))


@pytest.mark.parametrize("weight_format", ["float", "pot4", "pot6"])
def test_linear_layers_of_the_model_are_found(weight_format: str):
    names = {"patch_embed", "head", *(f"blocks.0.{name}" for name in ("mlp.fc1", "mlp.fc2"))}
    names |= {f"blocks.0.attn.{name}" for name in ("q", "k", "v", "proj")}
    assert set(matrices(build_model(tiny_config(weight_format=weight_format)))) == names


def test_sparsity_counts_zeros_of_linear_layers():
    model = model_of((4, 2), (2, 2))
    model[0].weight.data[0] = 0
    model[1].bias.data[:] = 0
    assert sparsity(model) == 4 / 12 and sparsity(nn.ReLU()) == 0
