"""Brevitas quantizers whose every scale is a power of two, and the layers made of them.

With ``weight_format == "float"`` each factory returns the plain PyTorch layer, so that one model
definition serves both the float and the quantized training.

Sources: the OCP Microscaling Formats specification v1.0 (minifloat encodings), the QONNX operator
pages of ``Quant`` and ``FloatQuant``, and ``brevitas.quant.float_quant_ocp``.
"""

from __future__ import annotations

from typing import Any

from brevitas.core.function_wrapper import RoundSte
from brevitas.inject.enum import RestrictValueType, ScalingImplType, ScalingPerOutputType
from brevitas.quant.fixed_point import (
    Int8ActPerTensorFixedPoint,
    Int8BiasPerTensorFixedPointInternalScaling,
    Uint8ActPerTensorFixedPoint,
)
from brevitas.quant.float_base import FloatActBase
from brevitas.quant.float_quant_ocp import FpOCPMixin, FpOCPWeightPerChannelFloat
from torch import nn

from brevitas_model.config import ViTConfig
from brevitas_model.fused import FusedActivation, FusedPotConv, FusedPotLinear, FusedSignificantBits
from brevitas_model.stages import HybridConfig

# The smallest magnitudes a quantizer may stretch to its full range. They bound the accumulator
# where a row of weights, a bias or a whole layer is zero and its statistics say nothing.
MIN_WEIGHT_RANGE = 2.0**-6
MIN_BIAS_RANGE = 2.0**-7
# Brevitas applies this one to the scale itself, one code in real units.
MIN_ACTIVATION_SCALE = 2.0**-17
CALIBRATION_STEPS = 16

SIGNIFICANT_BITS = 8

Formats = ViTConfig | HybridConfig


class PotWeightE3M0(FpOCPWeightPerChannelFloat):
    """4-bit weight: zero, or a signed power of two of seven consecutive exponents."""

    bit_width = 4
    exponent_bit_width = 3
    mantissa_bit_width = 0
    restrict_scaling_type = RestrictValueType.POWER_OF_TWO
    scaling_min_val = MIN_WEIGHT_RANGE


class PotWeightE3M2(PotWeightE3M0):
    """6-bit weight: a signed sum of up to three powers of two with adjacent exponents."""

    bit_width = 6
    mantissa_bit_width = 2


POT_WEIGHTS = {"pot4": PotWeightE3M0, "pot6": PotWeightE3M2}


class PotBias(Int8BiasPerTensorFixedPointInternalScaling):
    """8-bit fixed-point bias with a power-of-two scale of its own."""

    scaling_min_val = MIN_BIAS_RANGE


class SignificantBits(FpOCPMixin, FloatActBase):
    """Rounds to eight significant bits, half to even: E6M7, no scale.

    Used between the exact sums and the table functions of softmax and LayerNorm. Six exponent
    bits span 2^-30 to 2^32, more than any variance or sum of the model.
    """

    bit_width = 14
    exponent_bit_width = 6
    mantissa_bit_width = SIGNIFICANT_BITS - 1
    scaling_impl_type = ScalingImplType.CONST
    scaling_init = 1.0
    restrict_scaling_type = RestrictValueType.FP
    scaling_per_output_type = ScalingPerOutputType.TENSOR
    float_to_int_impl = RoundSte


def linear(config: Formats, in_features: int, out_features: int) -> nn.Module:
    """A linear layer, its weights power-of-two codes unless the format is ``"float"``."""
    if not config.quantized:
        return nn.Linear(in_features, out_features)
    return FusedPotLinear(in_features, out_features, bias=True, **_pot(config, config.weight_format))


def conv(
    config: HybridConfig, in_channels: int, out_channels: int, kernel_size: int, *, bias: bool, **geometry: int
) -> nn.Module:
    """A convolution of ``geometry`` (stride, padding, groups); ``bias`` is of float ones, quantized ones have one.

    Filters of a depthwise convolution, one channel a group, have a format of their own.
    """
    if not config.quantized:
        return nn.Conv2d(in_channels, out_channels, kernel_size, bias=bias, **geometry)
    weight_format = config.weight_format
    if geometry.get("groups", 1) == in_channels and config.depthwise_format != "same":
        weight_format = config.depthwise_format
    return FusedPotConv(in_channels, out_channels, kernel_size, bias=True, **geometry, **_pot(config, weight_format))


def _pot(config: Formats, weight_format: str) -> dict[str, Any]:
    """Brevitas' options of a layer with power-of-two weights."""
    return {
        "weight_quant": POT_WEIGHTS[weight_format],
        "weight_scaling_per_output_type": ScalingPerOutputType(config.weight_scaling.upper()),
        "bias_quant": PotBias,
    }


def activation(config: Formats, *, signed: bool = True, bits: int | None = None) -> nn.Module:
    """An activation quantizer whose power-of-two scale is calibrated on the first steps."""
    if not config.quantized:
        return nn.Identity()
    base = Int8ActPerTensorFixedPoint if signed else Uint8ActPerTensorFixedPoint
    return FusedActivation(
        act_quant=base,
        bit_width=bits or config.activation_bits,
        collect_stats_steps=CALIBRATION_STEPS,
        scaling_min_val=MIN_ACTIVATION_SCALE,
    )


def fixed_activation(config: Formats, *, scale: float, signed: bool, bits: int) -> nn.Module:
    """An activation quantizer whose power-of-two ``scale`` (real units of one code) is given."""
    if not config.quantized:
        return nn.Identity()
    base = Int8ActPerTensorFixedPoint if signed else Uint8ActPerTensorFixedPoint
    return FusedActivation(
        act_quant=base,
        bit_width=bits,
        scaling_impl_type=ScalingImplType.CONST,
        scaling_init=scale * 2.0 ** (bits - int(signed)),
    )


def significant_bits(config: Formats) -> nn.Module:
    """A floating quantizer of :data:`SIGNIFICANT_BITS`."""
    return FusedSignificantBits(act_quant=SignificantBits) if config.quantized else nn.Identity()
