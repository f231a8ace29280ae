"""Checkpoints compute what was saved, bit for bit, are whole or absent, and nothing in them is executed."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from brevitas_model import checkpoint as module
from brevitas_model import shipped as shipped_module
from brevitas_model.checkpoint import load_checkpoint, load_masks, read_tensors, save_checkpoint, write_tensors
from brevitas_model.codes import code_bits
from brevitas_model.config import ViTConfig
from brevitas_model.export import export
from brevitas_model.models import build_model
from brevitas_model.pruning import apply_masks, make_masks, matrices
from brevitas_model.resnet import ResNet9Config
from brevitas_model.shipped import CheckpointError, find_checkpoint
from brevitas_model.training.recipe import Pruning
from brevitas_model.vit import VisionTransformer, count_parameters
from hls_projects.graphs.qonnx_file import run_images
from tests.support.disk import file_limit
from tests.support.models import patterns, random_model, tiny_config

FORMATS = ["pot4", "pot6"]


@pytest.fixture(scope="module")
def model() -> VisionTransformer:
    return random_model(tiny_config())


def rewritten(source: Path, path: Path, metadata: dict[str, str] | None = None, **tensors: torch.Tensor) -> Path:
    """``source`` with other tensors or metadata."""
    kept, facts = read_tensors(source)
    save_file(kept | tensors, path, metadata=facts if metadata is None else metadata)
    return path


def with_odd_rows(model: VisionTransformer) -> VisionTransformer:
    """Rows of zeros, of extremes, on ties, too small for the smallest scale, and around the change of a scale."""
    rows = [
        torch.zeros(16),
        torch.tensor([1.0, -1.0]).repeat(8),
        torch.tensor([0.75, 0.375, -0.1875, 1.0]).repeat(4),
        torch.full((16,), 1e-4),
        torch.linspace(-0.70711, 0.7071, 16),
        torch.linspace(-0.74, 0.1, 16),
        torch.linspace(-2, 1.42, 16),
        torch.full((16,), -0.0),
    ]
    with torch.no_grad():
        attention = model.blocks[0].attn
        attention.q.weight[: len(rows)] = torch.stack(rows)
        attention.k.weight.zero_()
        attention.v.weight.copy_(torch.where(attention.v.weight > 0, 1.0, -1.0))
        attention.proj.weight.mul_(2.0**-8)
        attention.k.bias.zero_()
        model.head.weight[0] = 0
    return model


@pytest.fixture(scope="module", params=[(f, s) for f in FORMATS for s in ("channel", "tensor")], ids="-".join)
def odd(request: pytest.FixtureRequest) -> VisionTransformer:
    weight_format, scaling = request.param
    return with_odd_rows(random_model(tiny_config(weight_format=weight_format, weight_scaling=scaling)))


@torch.no_grad()
def logits_of(model: torch.nn.Module, count: int = 12) -> torch.Tensor:
    return model.eval()(torch.from_numpy(patterns(count)).float())


@torch.no_grad()
def test_quantized_model_computes_the_same_logits(odd: VisionTransformer, tmp_path: Path):
    golden = logits_of(odd)
    assert len(golden.unique(dim=0)) > 6
    save_checkpoint(tmp_path / "m.safetensors", odd, {"epochs": 3})
    loaded, training = load_checkpoint(tmp_path / "m.safetensors")
    assert training == {"epochs": 3} and loaded.config == odd.config and not loaded.training
    assert loaded.state_dict().keys() == odd.state_dict().keys()
    weights = {f"{name}.weight": layer.quant_weight().value for name, layer in matrices(odd).items()}
    for name, tensor in (odd.state_dict() | weights).items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    for name, layer in matrices(loaded).items():
        assert torch.equal(layer.quant_weight().value, weights[f"{name}.weight"]), name
    assert torch.equal(logits_of(loaded), golden)


def test_saving_again_is_stable(odd: VisionTransformer, tmp_path: Path):
    paths = [tmp_path / f"{count}.safetensors" for count in range(3)]
    save_checkpoint(paths[0], odd, {})
    for before, after in itertools.pairwise(paths):
        save_checkpoint(after, load_checkpoint(before)[0], {})
    assert paths[1].read_bytes() == paths[2].read_bytes()
    assert torch.equal(logits_of(load_checkpoint(paths[2])[0]), logits_of(odd))


@pytest.mark.parametrize("weight_format, scaling", [("pot4", "channel"), ("pot6", "tensor")])
def test_export_of_a_loaded_model_computes_the_same_logits(weight_format: str, scaling: str, tmp_path: Path):
    odd = with_odd_rows(random_model(tiny_config(weight_format=weight_format, weight_scaling=scaling)))
    save_checkpoint(tmp_path / "m.safetensors", odd, {})
    graph = export(load_checkpoint(tmp_path / "m.safetensors")[0], tmp_path / "m.onnx")
    assert (run_images(graph, patterns(12)) == logits_of(odd).numpy()).all()


@pytest.mark.parametrize("weight_format, bits", [("pot4", 8), ("pot6", 5)])
def test_random_models_compute_the_same_logits(weight_format: str, bits: int, tmp_path: Path):
    model = random_model(tiny_config(weight_format=weight_format, activation_bits=bits), bits)
    save_checkpoint(tmp_path / "m.safetensors", model, {})
    assert torch.equal(logits_of(load_checkpoint(tmp_path / "m.safetensors")[0]), logits_of(model))


def test_the_same_model_makes_the_same_file(model: VisionTransformer, tmp_path: Path):
    """Digests of files tell checkpoints apart, so nothing in them is left to chance."""
    facts = {"command": 'é \\ " \n', "recipe": {"seed": 1}}
    for index in range(6):
        save_checkpoint(tmp_path / f"{index}.safetensors", model, facts)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
    assert load_checkpoint(tmp_path / "0.safetensors")[1] == facts


def test_a_model_in_training_is_saved_as_it_is(odd: VisionTransformer, tmp_path: Path):
    save_checkpoint(tmp_path / "a.safetensors", odd.eval(), {})
    save_checkpoint(tmp_path / "b.safetensors", odd.train(), {})
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


@pytest.mark.parametrize("weight_format", FORMATS)
def test_codes_have_their_true_size(weight_format: str, tmp_path: Path):
    """The shape of the shipped models, half of it zeros, with its masks, stays far below a megabyte."""
    config = ViTConfig(embed_dim=96, depth=5, num_heads=3, weight_format=weight_format)
    model = build_model(config).eval()
    masks = make_masks(model, Pruning())
    apply_masks(model, masks)
    path = tmp_path / "m.safetensors"
    save_checkpoint(path, model, {}, masks)
    weights = sum(layer.weight.numel() for layer in matrices(model).values())
    rest = count_parameters(model) - weights
    assert path.stat().st_size < weights * (code_bits(weight_format) + 1) / 8 + 4 * rest + 50_000 < 1_000_000


@pytest.mark.parametrize(
    "model",
    [lambda: random_model(tiny_config(weight_format="float")), lambda: build_model(ResNet9Config(width=2)).eval()],
    ids=["vit", "resnet9"],
)
def test_float_models_are_stored_in_half_precision(model: object, tmp_path: Path):
    made = model()
    save_checkpoint(tmp_path / "m.safetensors", made, {})
    kinds = {tensor.dtype for tensor in read_tensors(tmp_path / "m.safetensors")[0].values()}
    assert torch.float16 in kinds and torch.float32 not in kinds
    loaded, _ = load_checkpoint(tmp_path / "m.safetensors")
    assert loaded.config == made.config
    for name, tensor in made.state_dict().items():
        kept = loaded.state_dict()[name]
        assert kept.dtype == tensor.dtype
        assert torch.equal(kept, tensor.half().float() if tensor.is_floating_point() else tensor), name
    torch.testing.assert_close(logits_of(loaded), logits_of(made), rtol=0.02, atol=0.02)


# Masks.


def test_numbers_beyond_half_precision_are_refused(tmp_path: Path):
    model = random_model(tiny_config(weight_format="float"))
    with torch.no_grad():
        model.head.bias[3] = 1e6
    with pytest.raises(CheckpointError, match=r"head\.bias holds a value that half precision does not"):
        save_checkpoint(tmp_path / "m.safetensors", model, {})
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def pruned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, VisionTransformer, dict[str, torch.Tensor]]:
    model = random_model(tiny_config())
    masks = make_masks(model, Pruning(skip=("head",)))
    apply_masks(model, masks)
    path = tmp_path_factory.mktemp("pruned") / "pruned.safetensors"
    save_checkpoint(path, model, {}, masks)
    return path, model, masks


def test_masks_come_back(pruned: tuple[Path, VisionTransformer, dict[str, torch.Tensor]]):
    path, model, masks = pruned
    loaded, stored = load_masks(path, model), load_checkpoint(path)[0]
    assert loaded.keys() == masks.keys()
    for name, mask in masks.items():
        assert loaded[name].dtype == torch.bool and torch.equal(loaded[name], mask), name
        weight = stored.get_submodule(name).weight
        assert not weight[~mask].any() and weight[mask].any()


def test_a_model_that_was_not_pruned_has_no_masks(checkpoint: Path, model: VisionTransformer):
    assert load_masks(checkpoint, model) == {}


@pytest.mark.parametrize(
    "name, mask",
    [
        ("blocks.0.attn.q", torch.zeros(31, dtype=torch.uint8)),
        ("blocks.0.attn.q", torch.zeros(33, dtype=torch.uint8)),
        ("blocks.0.attn.q", torch.zeros(256, dtype=torch.bool)),
        ("blocks.0.attn.q", torch.zeros(16, 16)),
        ("blocks.1.attn.q", torch.zeros(32, dtype=torch.uint8)),
        ("blocks.0", torch.zeros(32, dtype=torch.uint8)),
        ("nothing", torch.zeros(32, dtype=torch.uint8)),
    ],
)
def test_masks_of_another_model(
    pruned: tuple[Path, VisionTransformer, dict[str, torch.Tensor]], tmp_path: Path, name: str, mask: torch.Tensor
):
    path, model, _ = pruned
    wrong = rewritten(path, tmp_path / "wrong.safetensors", **{f"{name}.weight_mask": mask})
    with pytest.raises(CheckpointError, match=f"wrong.safetensors has a mask of no layer of this model: {name}$"):
        load_masks(wrong, model)


# Damage.


@pytest.mark.parametrize(
    "tensors, gone, message",
    [
        ({"head.weight_codes": torch.zeros(3, dtype=torch.uint8)}, "", r"3,\) bytes do not hold 160 codes of 4 bits"),
        ({"head.weight_codes": torch.zeros(80, dtype=torch.int8)}, "", "do not hold 160 codes"),
        ({"head.weight_exponent": torch.zeros(9, dtype=torch.int8)}, "", "9 scales for 10 rows"),
        ({}, "head.weight_exponent", "weight_codes"),
        ({}, "head.weight_codes", "head.weight"),
        ({}, "head.bias", "head.bias"),
        ({"tail.weight_codes": torch.zeros(3, dtype=torch.uint8)}, "", "tail.weight_codes"),
        ({"head.weight": torch.zeros(10, 16)}, "", "head.weight_codes"),
        ({"pos_embed": torch.zeros(1, 3, 16)}, "", "pos_embed"),
    ],
)
def test_damaged_tensors(checkpoint: Path, tmp_path: Path, tensors: dict[str, torch.Tensor], gone: str, message: str):
    path = rewritten(checkpoint, tmp_path / "wrong.safetensors", **tensors)
    kept, facts = read_tensors(path)
    kept.pop(gone, None)
    save_file(kept, path, metadata=facts)
    with pytest.raises(CheckpointError, match=message) as error:
        load_checkpoint(path)
    assert "does not fit its configuration" in str(error.value) and "\n" not in str(error.value)


def test_shipped_names_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shipped_module, "SHIPPED_CHECKPOINTS", tmp_path)
    (tmp_path / "known.safetensors").touch()
    assert find_checkpoint("known") == tmp_path / "known.safetensors"
    assert find_checkpoint("unknown") == Path("unknown")
    assert find_checkpoint("folder/known") == Path("folder/known")
    with pytest.raises(CheckpointError, match="checkpoint unknown does not exist"):
        load_checkpoint(find_checkpoint("unknown"))


def test_a_write_that_the_system_refuses_keeps_the_old_file(tmp_path: Path):
    path = tmp_path / "state.safetensors"
    write_tensors(path, {"a": torch.arange(4.0)}, {})
    before = path.read_bytes()
    with file_limit(1024), pytest.raises(OSError, match=r"state.safetensors cannot be written: .*File too large"):
        write_tensors(path, {"a": torch.zeros(4000)}, {})
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "state.safetensors"
    write_tensors(path, {"a": torch.arange(4.0)}, {})
    before = path.read_bytes()

    def fail(tensors: object, part: Path, metadata: object) -> None:
        Path(part).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "save_file", fail)
    with pytest.raises(OSError, match="No space left"):
        write_tensors(path, {"a": torch.zeros(4)}, {})
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_missing(tmp_path: Path):
    with pytest.raises(CheckpointError, match="does not exist"):
        load_checkpoint(tmp_path / "none.safetensors")


@pytest.mark.parametrize("kept", [0, 4, 100, 5000, -1])
def test_truncated(checkpoint: Path, tmp_path: Path, kept: int):
    path = tmp_path / "cut.safetensors"
    path.write_bytes(checkpoint.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match="not a whole safetensors file"):
        load_checkpoint(path)


class Malice:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["model.safetensors", "model.pth"])
def test_pickle_is_not_executed(tmp_path: Path, name: str):
    victim, path = tmp_path / "executed", tmp_path / name
    torch.save(Malice(victim), path)
    with pytest.raises(CheckpointError, match="pickled checkpoints are never opened"):
        load_checkpoint(path)
    assert not victim.exists()
    torch.load(path.rename(tmp_path / "model.pt"), weights_only=False)
    assert victim.exists()  # the file was a working trap


@pytest.mark.parametrize(
    "metadata, message",
    [
        ({}, "carries no model configuration"),
        ({"config": "{"}, "invalid configuration"),
        ({"config": "[1]"}, "invalid configuration"),
        ({"config": "null"}, "invalid configuration"),
        ({"config": json.dumps({"dim": 16})}, "unknown model key 'dim'"),
        ({"config": json.dumps({"embed_dim": -1})}, "embed_dim must be a positive integer"),
        ({"config": tiny_config(embed_dim=32).to_json()}, "does not fit its configuration.*do not hold"),
        ({"config": tiny_config(depth=2).to_json()}, "does not fit its configuration.*Missing key"),
        ({"config": tiny_config(weight_format="float").to_json()}, "does not fit its configuration.*Unexpected key"),
    ],
)
def test_wrong_configuration(checkpoint: Path, tmp_path: Path, metadata: dict[str, str], message: str):
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(rewritten(checkpoint, tmp_path / "wrong.safetensors", metadata))


def test_tensor_of_another_model(checkpoint: Path, tmp_path: Path):
    path = rewritten(checkpoint, tmp_path / "more.safetensors", extra=torch.zeros(1))
    with pytest.raises(CheckpointError, match="extra"):
        load_checkpoint(path)
