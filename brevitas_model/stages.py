"""The configuration of a hybrid model: stages of convolutions and of attention, one after the other."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints

from brevitas_model.config import DEFAULT_TILE_SIZE, ConfigError, ViTConfig

# Kernel size, stride and padding of a convolution that the hardware's sliding window is made for.
LARGEST_KERNEL, LARGEST_STRIDE = 8, 4
DEPTHWISE_KERNEL = 3
# A model beyond these is a slip of the pen: its tensors would fill the memory before anything is said.
LARGEST_SIZE = 4096
LARGEST_PARAMETERS = 2**26
LARGEST_MACS = 2**34
SMALLEST = {"padding": 0, "context_tiles": 0, "depth": 0}


class _Fields:
    """A frozen dataclass whose integers, booleans and literals are checked by their type hints."""

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self)).items():
            _check_field(name, getattr(self, name), hint)


@dataclass(frozen=True, kw_only=True)
class _Stage(_Fields):
    """What every stage has.

    Args:
        embed_dim: channels, or width of a token.
        depth: number of blocks; 0 leaves the convolution in front of them alone.
        kernel_size: of the convolution that makes the stage's input from the stage before (from the
            image for the first), height and width.
        stride: of that convolution.
        padding: rows and columns of zeros around its input, less than ``kernel_size``.
    """

    embed_dim: int
    depth: int
    kernel_size: int = 3
    stride: int = 2
    padding: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kernel_size > LARGEST_KERNEL:
            raise ConfigError(f"kernel_size must be 1 to {LARGEST_KERNEL}, not {self.kernel_size}")
        if self.stride > LARGEST_STRIDE:
            raise ConfigError(f"stride must be 1 to {LARGEST_STRIDE}, not {self.stride}")
        if self.padding >= self.kernel_size:
            raise ConfigError(f"padding {self.padding} must be less than kernel_size {self.kernel_size}")

    def out_size(self, in_size: int) -> int:
        """Height and width behind the convolution, 0 or less where it does not fit."""
        return (in_size + 2 * self.padding - self.kernel_size) // self.stride + 1


@dataclass(frozen=True, kw_only=True)
class ConvStage(_Stage):
    """Inverted bottlenecks (Sandler et al. 2018): 1×1 expand, depthwise 3×3, 1×1 project, residual.

    Args:
        expansion: channels inside a block over ``embed_dim``.
    """

    kind: Literal["conv"] = "conv"
    expansion: int = 3

    @property
    def hidden_dim(self) -> int:
        return self.embed_dim * self.expansion


@dataclass(frozen=True, kw_only=True)
class AttentionStage(_Stage):
    """Transformer blocks; the pixels of the stage's grid, row by row, are its tokens.

    Args:
        num_heads: attention heads; divides ``embed_dim``.
        mlp_ratio: hidden width of the MLP over ``embed_dim``.
        mlp_depthwise: puts a depthwise 3×3 convolution over the grid of tokens between the first
            linear layer of the MLP and its non-linearity (Wang et al., "PVT v2", 2022).
        position_embedding: adds a learned vector to each token in front of the blocks. Convolutions
            with padding tell positions apart already.
        attention: ``"global"`` or ``"windowed"``, as in :class:`brevitas_model.config.ViTConfig`.
        tile_size: as there.
        context_tiles: as there.
    """

    kind: Literal["attention"] = "attention"
    num_heads: int = 3
    mlp_ratio: int = 2
    mlp_depthwise: bool = False
    position_embedding: bool = False
    attention: Literal["global", "windowed"] = "global"
    tile_size: int = DEFAULT_TILE_SIZE
    context_tiles: int = 1

    @property
    def hidden_dim(self) -> int:
        return self.embed_dim * self.mlp_ratio


Stage = ConvStage | AttentionStage
KINDS: dict[str, type] = {"conv": ConvStage, "attention": AttentionStage}


@dataclass(frozen=True, kw_only=True)
class HybridConfig(_Fields):
    """Shape and number formats of a :class:`brevitas_model.hybrid.HybridTransformer`.

    Args:
        stages: in the order of the data; the last is of attention.
        image_size: height and width of the square input, in pixels.
        in_channels: colour channels of a pixel.
        num_classes: logits.
        global_pool: ``"mean"`` averages the tokens of the last stage; ``"token"`` prepends a class
            token to them and classifies it, which needs a last stage without ``mlp_depthwise``.
        activation: non-linearity of convolution blocks and MLPs.
        weight_format: as in :class:`brevitas_model.config.ViTConfig`. ``"float"`` has batch norm
            behind each convolution but those in MLPs; in the others it is folded into the weights.
        depthwise_format: weight format of depthwise filters in a model whose weights are quantized;
            ``"same"`` is ``weight_format``.
        weight_scaling: one power-of-two scale a tensor or an output channel.
        activation_bits: width of every activation code but those below, 4 to 8.
        stream_bits: width of the residual stream's codes, 8 to 10.
        logit_bits: width of the logits' codes.

    Raises:
        ConfigError: a value outside its domain, sizes that do not fit each other, or a model beyond
            :data:`LARGEST_PARAMETERS` weights or :data:`LARGEST_MACS` multiplications an image.
    """

    stages: tuple[Stage, ...]
    architecture: Literal["hybrid"] = "hybrid"
    image_size: int = 32
    in_channels: int = 3
    num_classes: int = 10
    global_pool: Literal["token", "mean"] = "mean"
    activation: Literal["relu", "gelu"] = "gelu"
    weight_format: Literal["float", "pot4", "pot6"] = "pot4"
    depthwise_format: Literal["same", "pot4", "pot6"] = "same"
    weight_scaling: Literal["channel", "tensor"] = "channel"
    activation_bits: int = 8
    stream_bits: int = 8
    logit_bits: int = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, low, high in (("activation_bits", 4, 8), ("stream_bits", 8, 10), ("logit_bits", 8, 16)):
            if not low <= getattr(self, name) <= high:
                raise ConfigError(f"{name} must be {low} to {high}, not {getattr(self, name)}")
        if not isinstance(self.stages[-1], AttentionStage):
            raise ConfigError(f"stages[{len(self.stages) - 1}].kind must be attention, which the last stage is")
        if self.global_pool == "token" and self.stages[-1].mlp_depthwise:
            raise ConfigError('global_pool "token" needs a last stage without mlp_depthwise: its token is on no grid')
        for index, stage in enumerate(self.stages):
            if self.sizes[index] < 1:
                raise ConfigError(f"stages[{index}].kernel_size {stage.kernel_size} is larger than its padded input")
            if isinstance(stage, AttentionStage):
                with _inside(f"stages[{index}]."):
                    self.attention_config(index)
        if self.num_parameters > LARGEST_PARAMETERS:
            raise ConfigError(f"the model has {self.num_parameters:,} weights, more than {LARGEST_PARAMETERS:,}")
        if self.num_macs > LARGEST_MACS:
            raise ConfigError(f"the model has {self.num_macs:,} multiplications an image, more than {LARGEST_MACS:,}")

    @property
    def sizes(self) -> tuple[int, ...]:
        """Height and width of each stage's grid; 0 or less where a convolution does not fit."""
        found, size = [], self.image_size
        for stage in self.stages:
            size = stage.out_size(size)
            found.append(size)
        return tuple(found)

    def in_dim(self, index: int) -> int:
        """Channels of the input of stage ``index``."""
        return self.stages[index - 1].embed_dim if index else self.in_channels

    def attention_config(self, index: int) -> ViTConfig:
        """Stage ``index`` as a transformer whose patches are the pixels of the stage's grid.

        Raises:
            ConfigError: sizes that do not fit each other.
        """
        stage, last = self.stages[index], index == len(self.stages) - 1
        return ViTConfig(
            image_size=self.sizes[index],
            in_channels=stage.embed_dim,
            patch_size=1,
            embed_dim=stage.embed_dim,
            depth=max(stage.depth, 1),
            num_heads=stage.num_heads,
            mlp_ratio=stage.mlp_ratio,
            num_classes=self.num_classes,
            global_pool=self.global_pool if last else "mean",
            attention=stage.attention,
            tile_size=stage.tile_size,
            context_tiles=stage.context_tiles,
            activation=self.activation,
            weight_format=self.weight_format,
            weight_scaling=self.weight_scaling,
            activation_bits=self.activation_bits,
            logit_bits=self.logit_bits,
        )

    @property
    def tile_size(self) -> int:
        """Tokens of the last stage that flow together."""
        return self.stages[-1].tile_size

    @property
    def quantized(self) -> bool:
        return self.weight_format != "float"

    @property
    def num_parameters(self) -> int:
        """Weights, biases and embeddings, batch norms folded."""
        return sum(self._parameters(index) for index in range(len(self.stages))) + self.num_classes * (
            self.stages[-1].embed_dim + 1
        )

    @property
    def num_macs(self) -> int:
        """Multiplications of layers and attention, an image."""
        return (
            sum(self._macs(index) for index in range(len(self.stages))) + self.stages[-1].embed_dim * self.num_classes
        )

    def _parameters(self, index: int) -> int:
        stage = self.stages[index]
        dim, hidden = stage.embed_dim, stage.hidden_dim
        depthwise = hidden * (DEPTHWISE_KERNEL**2 + 1)
        entry = dim * (self.in_dim(index) * stage.kernel_size**2 + 1)
        if isinstance(stage, ConvStage):
            return entry + stage.depth * (dim * hidden + hidden + depthwise + hidden * dim + dim)
        block = 4 * dim * (dim + 1) + dim * hidden + hidden + hidden * dim + dim
        config = self.attention_config(index)
        embedded = config.num_tokens if stage.position_embedding else config.num_prefix_tokens
        return entry + embedded * dim + stage.depth * (block + stage.mlp_depthwise * depthwise)

    def _macs(self, index: int) -> int:
        stage, pixels = self.stages[index], self.sizes[index] ** 2
        dim, hidden = stage.embed_dim, stage.hidden_dim
        entry = pixels * dim * self.in_dim(index) * stage.kernel_size**2
        depthwise = pixels * hidden * DEPTHWISE_KERNEL**2
        if isinstance(stage, ConvStage):
            return entry + stage.depth * (2 * pixels * dim * hidden + depthwise)
        config = self.attention_config(index)
        block = config.num_tokens * (4 * dim * dim + 2 * dim * hidden) + 2 * config.num_scores * dim
        return entry + stage.depth * (block + stage.mlp_depthwise * depthwise)


class _inside:
    """Puts ``prefix`` in front of the ConfigErrors of a block."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, ConfigError):
            raise ConfigError(f"{self.prefix}{error}") from error


def stages_from(tables: Any) -> tuple[Stage, ...]:
    """Stages from plain data, a list of tables that each name their ``kind``.

    Raises:
        ConfigError: no such list, an unknown kind or key, or an invalid value.
    """
    if not isinstance(tables, (list, tuple)) or not tables:
        raise ConfigError(f"stages must be a list of tables, one a stage, not {tables!r}")
    return tuple(_stage(index, table) for index, table in enumerate(tables))


def _stage(index: int, table: Any) -> Stage:
    if isinstance(table, _Stage):
        return table
    with _inside(f"stages[{index}]."):
        if not isinstance(table, dict) or not isinstance(table.get("kind"), str) or table["kind"] not in KINDS:
            given = table.get("kind") if isinstance(table, dict) else table
            raise ConfigError(f"kind must be one of {', '.join(KINDS)}, not {given!r}")
        kind = KINDS[table["kind"]]
        fields = {field.name: field for field in dataclasses.fields(kind)}
        for name in table:
            if name not in fields:
                raise ConfigError(
                    f"{name} is no key of a stage of {table['kind']}; known keys: {', '.join(sorted(fields))}"
                )
        for name, field in fields.items():
            if field.default is dataclasses.MISSING and name not in table:
                raise ConfigError(f"{name} is missing")
        return kind(**table)


def _check_field(name: str, value: Any, hint: Any) -> None:
    options = get_args(hint)
    if hint is bool:
        if not isinstance(value, bool):
            raise ConfigError(f"{name} must be true or false, not {value!r}")
    elif hint is int:
        smallest = SMALLEST.get(name, 1)
        if type(value) is not int or not smallest <= value <= LARGEST_SIZE:
            raise ConfigError(f"{name} must be an integer of {smallest} to {LARGEST_SIZE}, not {value!r}")
    elif name == "stages":
        if not isinstance(value, tuple) or not value or not all(isinstance(stage, _Stage) for stage in value):
            raise ConfigError(f"stages must be a tuple of stages, not {value!r}")
    elif value not in options:
        raise ConfigError(f"{name} must be one of {', '.join(options)}, not {value!r}")
