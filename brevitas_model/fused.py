"""Brevitas layers that take a short way in training.

Each is the Brevitas layer: its parameters, checkpoint, eval mode and export are Brevitas' own. In
training, once the scales are frozen, it computes the same values with a handful of operations instead
of dozens, which ``torch.compile`` can fuse with what surrounds them. Gradients pass straight through
the rounding (Bengio et al. 2013) and stop where an activation saturates, as in Brevitas. Those of a
weight differ from Brevitas': they pass where it saturates, too, and its scale counts as a constant.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from brevitas.nn import QuantConv2d, QuantIdentity, QuantLinear
from brevitas.nn.quant_layer import QuantWeightBiasInputOutputLayer as QuantWBIOL
from torch import Tensor, nn
from torch.nn import functional as F

ROUNDING_OFFSET = 1.5 * 2.0**23


class _FakeQuantize(torch.autograd.Function):
    """Codes ``low`` … ``high`` of a power-of-two ``scale``, in real units; any shape."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: float, low: float, high: float) -> Tensor:
        # Beside so large a number float32 holds whole codes and no more: the sum rounds, half to even.
        offset = ROUNDING_OFFSET * scale
        shifted = x + offset
        ctx.save_for_backward(shifted)
        ctx.limits = offset + (low - 1.0) * scale, offset + (high + 1.0) * scale
        return shifted.clamp(offset + low * scale, offset + high * scale).sub_(offset)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        # The gradient of hardtanh is the mask in one pass: zero where a code reached a limit.
        (shifted,) = ctx.saved_tensors
        return torch.ops.aten.hardtanh_backward(gradient, shifted, *ctx.limits), None, None, None


class _RoundMinifloat(torch.autograd.Function):
    """Nearest value of a minifloat at a power-of-two ``scale`` that broadcasts; saturates at ``largest`` scales."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, scale: Tensor | float, mantissa_bits: int, smallest: int, largest: float
    ) -> Tensor:
        scaled = x / scale
        _, exponent = torch.frexp(scaled)
        step = torch.ldexp(torch.ones_like(scaled), (exponent - 1).clamp_min(smallest) - mantissa_bits)
        return (torch.round(scaled / step) * step).clamp(-largest, largest) * scale

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
        return gradient, None, None, None, None


class _RoundToCodes(torch.autograd.Function):
    """Integer codes within ``low`` … ``high`` of a power-of-two ``scale`` tensor; gradients pass everywhere."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, low: float, high: float) -> Tensor:
        return torch.round(x / scale).clamp(low, high) * scale

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        return gradient, None, None, None


class FusedActivation(QuantIdentity):
    """Integer activation quantizer; :meth:`freeze` opens the short way."""

    grid: tuple[float, float, float] | None = None

    def freeze(self) -> None:
        """Read the scale and the codes' range once; neither changes any more."""
        bits, signed = int(self.act_quant.bit_width()), self.act_quant.is_signed
        low = -(2.0 ** (bits - 1)) if signed else 0.0
        self.grid = float(self.act_quant.scale().detach()), low, low + 2.0**bits - 1.0

    def forward(self, x: Tensor) -> Tensor:
        if self.training and self.grid:
            return _FakeQuantize.apply(x.float(), *self.grid)
        return super().forward(x)


class FusedSignificantBits(QuantIdentity):
    """Floating activation quantizer of scale 1; :meth:`freeze` opens the short way."""

    format: tuple[float, int, int, float] | None = None

    def freeze(self) -> None:
        quant = self.act_quant
        mantissa_bits, bias = int(quant.mantissa_bit_width()), int(quant.exponent_bias())
        top = 2 ** int(quant.exponent_bit_width()) - 1 - bias
        self.format = 1.0, mantissa_bits, 1 - bias, (2.0 - 2.0**-mantissa_bits) * 2.0**top

    def forward(self, x: Tensor) -> Tensor:
        if self.training and self.format:
            return _RoundMinifloat.apply(x.float(), *self.format)
        return super().forward(x)


class _PotLayer(QuantWBIOL):
    """What a layer with power-of-two weights and a fixed-point bias adds; :meth:`freeze` opens the short way."""

    format: tuple[int, int, float] | None = None

    def freeze(self) -> None:
        """Read the formats once; scales still follow the weights."""
        weight, injector = self.quant_weight(), self.weight_quant.quant_injector
        mantissa_bits, bias = int(weight.mantissa_bit_width), int(weight.exponent_bias)
        top = 2 ** int(weight.exponent_bit_width) - 1 - bias
        self.format = mantissa_bits, 1 - bias, (2.0 - 2.0**-mantissa_bits) * 2.0**top
        # Brevitas rounds the power of two of the largest magnitude of the format, too.
        self.reach = 2.0 ** round(math.log2(self.format[2]))
        self.weight_floor = injector.scaling_min_val
        self.per_row = weight.scale.numel() > 1
        self.bias_floor = self.bias_quant.quant_injector.scaling_min_val
        self.bias_codes = 2.0 ** (int(self.bias_quant.bit_width()) - 1)

    def short_weight(self) -> Tensor:
        """Quantized weights, in the shape of ``weight``."""
        with torch.no_grad():
            magnitude = self.weight.abs()
            row = tuple(range(1, magnitude.ndim))
            largest = magnitude.amax(dim=row, keepdim=True) if self.per_row else magnitude.amax()
            scale = _power_of_two(torch.round(torch.log2(largest.clamp_min(self.weight_floor)))) / self.reach
        return _RoundMinifloat.apply(self.weight, scale, *self.format)

    def short_bias(self) -> Tensor:
        """Quantized bias, (out_features,) or (out_channels,)."""
        with torch.no_grad():
            largest = self.bias.abs().amax().clamp_min(self.bias_floor)
            scale = _power_of_two(torch.ceil(torch.log2(largest))) / self.bias_codes
        return _RoundToCodes.apply(self.bias, scale, -self.bias_codes, self.bias_codes - 1)


class FusedPotLinear(_PotLayer, QuantLinear):
    """Linear layer with power-of-two weights."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training and self.format:
            return F.linear(x, self.short_weight(), self.short_bias())
        return super().forward(x)


class FusedPotConv(_PotLayer, QuantConv2d):
    """Convolution with power-of-two weights, padded with zeros."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training and self.format:
            return self._conv_forward(x, self.short_weight(), self.short_bias())
        return super().forward(x)


def _power_of_two(exponent: Tensor) -> Tensor:
    return torch.ldexp(torch.ones_like(exponent), exponent.int())


def freeze(model: nn.Module) -> None:
    """Open the short way of every layer of ``model`` that has one; its scales must be calibrated."""
    for module in model.modules():
        if isinstance(module, (FusedActivation, FusedSignificantBits, _PotLayer)):
            module.freeze()
