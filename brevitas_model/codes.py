"""Codes of power-of-two weights, packed to their true size.

A code is sign, exponent and mantissa of an OCP minifloat (Microscaling Formats specification v1.0,
without infinities): E3M0 in 4 bits, E3M2 in 6.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

# Exponent and mantissa bits of a weight format.
FORMATS = {"pot4": (3, 0), "pot6": (3, 2)}
EXPONENT_BIAS = 3


def code_bits(weight_format: str) -> int:
    """Bits of a code, sign included."""
    return 1 + sum(FORMATS[weight_format])


def format_of(layer: nn.Module) -> str:
    """The weight format of a quantized layer."""
    widths = layer.weight_quant.quant_injector
    return next(
        name for name, bits in FORMATS.items() if bits == (widths.exponent_bit_width, widths.mantissa_bit_width)
    )


def codebook(weight_format: str) -> Tensor:
    """The value of every code at scale 1, float32 (2**bits,)."""
    exponent_bits, mantissa_bits = FORMATS[weight_format]
    codes = torch.arange(2 ** code_bits(weight_format))
    mantissa = (codes & (2**mantissa_bits - 1)) / 2**mantissa_bits
    exponent = (codes >> mantissa_bits) & (2**exponent_bits - 1)
    normal = exponent > 0
    magnitude = (mantissa + normal) * torch.pow(2.0, exponent.clamp_min(1) - EXPONENT_BIAS)
    return torch.where(codes >> (exponent_bits + mantissa_bits) > 0, -magnitude, magnitude)


def pack_weight(weight: object) -> tuple[Tensor, Tensor]:
    """Packed codes and scales of a Brevitas ``FloatQuantTensor``, weights whose first axis are the outputs.

    Returns:
        codes, uint8, as :func:`pack_bits` packs them, row by row; exponents of the rows' scales, int8
        (out_features,).

    Raises:
        ValueError: a scale that is no power of two, or a value off the grid.
    """
    weight_format = next(
        name for name, widths in FORMATS.items()
        if widths == (int(weight.exponent_bit_width), int(weight.mantissa_bit_width))
    )  # fmt: skip
    scale = weight.scale.reshape(-1, 1).expand(len(weight.value), 1)
    mantissa, exponent = torch.frexp(scale)
    values = codebook(weight_format)
    ordered, places = values.sort(stable=True)
    wanted = (weight.value.flatten(1) / scale).contiguous()
    codes = places[torch.searchsorted(ordered, wanted).clamp_max(len(values) - 1)]
    # Zero has two codes; hardware and masks know the one without a sign.
    codes = torch.where(wanted == 0, torch.zeros_like(codes), codes)
    if not torch.equal(values[codes], wanted) or not bool((mantissa == 0.5).all()):
        raise ValueError(f"a weight is no code of {weight_format}")
    return pack_bits(codes.flatten().to(torch.uint8), code_bits(weight_format)), (exponent - 1).flatten().to(torch.int8)


def unpack_weight(packed: Tensor, exponent: Tensor, shape: torch.Size, weight_format: str) -> Tensor:
    """Float32 weights of ``shape``, whose first axis are the outputs.

    Raises:
        ValueError: not as many codes or scales as ``shape`` needs.
    """
    codes = unpack_bits(packed, code_bits(weight_format), shape.numel()).long().reshape(shape)
    if exponent.shape != shape[:1]:
        raise ValueError(f"{exponent.numel()} scales for {shape[0]} rows")
    return torch.ldexp(codebook(weight_format)[codes], exponent.int().reshape(-1, *[1] * (len(shape) - 1)))


def pack_bits(codes: Tensor, bits: int) -> Tensor:
    """The lowest ``bits`` of every code, uint8 (N,), one after the other: uint8 (ceil(N * bits / 8),)."""
    stream = ((codes[:, None] >> torch.arange(bits, dtype=torch.uint8)) & 1).flatten()
    stream = torch.nn.functional.pad(stream, (0, -len(stream) % 8)).reshape(-1, 8)
    return (stream << torch.arange(8, dtype=torch.uint8)).sum(dim=1).to(torch.uint8)


def unpack_bits(packed: Tensor, bits: int, count: int) -> Tensor:
    """The ``count`` codes, uint8, that :func:`pack_bits` packed.

    Raises:
        ValueError: not the length that ``count`` codes have.
    """
    if packed.dtype != torch.uint8 or packed.shape != (-(-count * bits // 8),):
        raise ValueError(f"{tuple(packed.shape)} bytes do not hold {count} codes of {bits} bits")
    stream = ((packed[:, None] >> torch.arange(8, dtype=torch.uint8)) & 1).flatten()[: count * bits]
    return (stream.reshape(count, bits) << torch.arange(bits, dtype=torch.uint8)).sum(dim=1).to(torch.uint8)
