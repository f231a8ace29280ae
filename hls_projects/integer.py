"""Bit-true integer arithmetic on int64 arrays, as in the kernels' ``fixed_point.h``, and widths of integer types."""

from __future__ import annotations

import numpy as np
from qonnx.core.datatype import BaseDataType, DataType

SIGNIFICANT_BITS = 8


def shift_right_half_even(value: np.ndarray, shift: np.ndarray | int) -> np.ndarray:
    """``value / 2**shift``, rounded half to even; ``shift`` must not be negative, and is broadcast."""
    floor = value >> shift
    twice_rest = (value - (floor << shift)) << 1
    one = np.int64(1) << np.asarray(shift, dtype=np.int64)
    return floor + ((twice_rest > one) | ((twice_rest == one) & ((floor & 1) == 1)))


def saturate(value: np.ndarray, dtype: BaseDataType) -> np.ndarray:
    """Clamp ``value`` to the range of ``dtype``."""
    return np.clip(value, int(dtype.min()), int(dtype.max()))


def requantize(value: np.ndarray, shift: np.ndarray | int, dtype: BaseDataType) -> np.ndarray:
    """``value / 2**shift``, rounded half to even and saturated to ``dtype``: QONNX's ``Quant`` on integers."""
    return saturate(shift_right_half_even(value, shift), dtype)


def exact_matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Integer matrix product by BLAS in float64, exact where no partial sum exceeds 2**53."""
    return np.rint(np.matmul(a.astype(np.float64), b.astype(np.float64))).astype(np.int64)


def significand(value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Round non-negative integers to eight significant bits, half to even.

    Returns:
        ``m`` of 128 to 255 and ``k``, so that ``m * 2**k`` is the rounded value; (128, 0) for zero.
    """
    safe = np.maximum(value, 1)
    length = np.floor(np.log2(safe.astype(np.float64))).astype(np.int64) + 1
    exponent = length - SIGNIFICANT_BITS
    mantissa = np.where(
        exponent >= 0,
        shift_right_half_even(safe, np.maximum(exponent, 0)),
        safe << np.maximum(-exponent, 0),
    )
    overflow = mantissa == 1 << SIGNIFICANT_BITS
    mantissa = np.where(overflow, mantissa >> 1, mantissa)
    exponent = exponent + overflow
    zero = value == 0
    return np.where(zero, 1 << (SIGNIFICANT_BITS - 1), mantissa), np.where(zero, 0, exponent)


def split_pot(codes: np.ndarray, exponent_bits: int, mantissa_bits: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The parts of sign-exponent-mantissa codes.

    Returns:
        Whether a code has the sign, its significand and its shift; the value is ``± significand << shift`` in units of
        the smallest magnitude.
    """
    mantissa = codes & ((1 << mantissa_bits) - 1)
    exponent = (codes >> mantissa_bits) & ((1 << exponent_bits) - 1)
    normal = exponent > 0
    significand = mantissa + (normal.astype(np.int64) << mantissa_bits)
    return codes >> (exponent_bits + mantissa_bits) > 0, significand, np.where(normal, exponent - 1, 0)


def decode_pot(codes: np.ndarray, exponent_bits: int, mantissa_bits: int) -> np.ndarray:
    """Integer value of sign-exponent-mantissa codes, in units of the smallest magnitude."""
    negative, significand, shift = split_pot(codes, exponent_bits, mantissa_bits)
    return np.where(negative, -(significand << shift), significand << shift)


def encode_pot(values: np.ndarray, exponent_bits: int, mantissa_bits: int) -> np.ndarray:
    """Sign-exponent-mantissa codes of integer ``values``; that of zero is 0.

    Raises:
        ValueError: a value that the format does not hold.
    """
    table = {int(decode_pot(np.int64(code), exponent_bits, mantissa_bits)): code
             for code in reversed(range(1 << (1 + exponent_bits + mantissa_bits)))}  # fmt: skip
    unknown = sorted(set(np.unique(values).tolist()) - set(table))
    if unknown:
        raise ValueError(f"E{exponent_bits}M{mantissa_bits} has no code for {unknown[0]}")
    return np.vectorize(table.__getitem__, otypes=[np.int64])(values)


def smallest_dtype(low: int, high: int) -> BaseDataType:
    """The narrowest ``UINT`` or ``INT`` type that holds ``low`` to ``high``."""
    if low >= 0:
        return DataType[f"UINT{max(int(high).bit_length(), 1)}"]
    # In two's complement a negative number n needs the bits of -n - 1, and one for the sign.
    return DataType[f"INT{max(int(code if code >= 0 else ~code).bit_length() for code in (low, high)) + 1}"]


def signed_width(magnitude: int, *, shifts: int = 0) -> BaseDataType:
    """A signed type that holds ± ``magnitude`` and can be shifted right by ``shifts`` with rounding."""
    return DataType[f"INT{max(int(magnitude).bit_length() + 1, shifts + 2)}"]


def magnitude(dtype: BaseDataType) -> int:
    """Largest absolute value of a code."""
    return max(abs(int(dtype.min())), abs(int(dtype.max())))


def shift_dtype(*shifts: int) -> BaseDataType:
    """An unsigned type that holds every one of ``shifts``."""
    return smallest_dtype(0, max(shifts))


def divisors(number: int) -> list[int]:
    """Divisors of a positive integer, ascending."""
    return [part for part in range(1, number + 1) if number % part == 0]
