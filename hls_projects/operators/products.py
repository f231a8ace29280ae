"""What the Verilog twins of attention's two products share: their parameters, and the foldings that they have."""

from __future__ import annotations

from hls_projects.operators.base import magnitude, signed_width
from hls_projects.operators.window import WindowedOperator

# Two products in a DSP: hls_projects/rtl/multiply_accumulate_pair.v says why.
PACKED_WIDTH, PACKED_PRODUCT, PACKED_SHIFT = 8, 1 << 15, 15


def product_parameters(operator: WindowedOperator, inputs: str, n_products: int) -> dict[str, int]:
    """Parameters of the module.

    Args:
        inputs: the letters of its two inputs in the names of parameters.
        n_products: that a sum has at most.

    Raises:
        ValueError: a type or a folding that the module does not have.
    """
    _check(operator)
    sizes = ("n_heads", "head_dim", "n_tokens", "load_size", "n_window", "out_shift", *operator.folding)
    parameters = {name.upper(): operator.size(name) for name in sizes}
    for index, letter in enumerate(inputs):
        dtype = operator.in_dtype(index)
        parameters |= {f"{letter}_WIDTH": dtype.bitwidth(), f"{letter}_SIGNED": int(dtype.signed())}
    # To a sum half a step of the output is added, for its rounding.
    shift = operator.size("out_shift")
    peak = n_products * _product(operator) + (1 << shift >> 1)
    widths = {"SUM_WIDTH": signed_width(peak, shifts=shift).bitwidth(), "OUT_WIDTH": operator.out_dtype.bitwidth()}
    return parameters | widths


def _product(operator: WindowedOperator) -> int:
    return magnitude(operator.in_dtype(0)) * magnitude(operator.in_dtype(1))


def _check(operator: WindowedOperator) -> None:
    """Refuse what the module does not have."""
    name, stored, shift = operator.onnx_node.name, operator.in_dtype(1), operator.size("out_shift")
    if not operator.out_dtype.signed():
        raise ValueError(f"{name}: in Verilog its output is signed, not {operator.out_dtype.name}")
    limits = {"parallel_heads": "n_heads", "parallel_keys": "load_size", "parallel_channels": "head_dim"}
    for fold in operator.folding[:-1]:
        most = operator.size(limits[fold])
        if not 1 <= operator.size(fold) <= most:
            raise ValueError(f"{name}: {fold} is {operator.size(fold)}; give 1 to {most}, its {limits[fold]}")
    fits = stored.signed() and stored.bitwidth() <= PACKED_WIDTH and _product(operator) < PACKED_PRODUCT
    if operator.size("packed") and not (fits and shift <= PACKED_SHIFT):
        types = f"{operator.in_dtype(0).name} times {stored.name} shifted by {shift}"
        raise ValueError(f"{name}: two products of {types} do not fit a DSP; set packed to 0")


def sum_clocks(operator: WindowedOperator) -> int:
    """Clocks from the last step of a sum to its result in the output's FIFO, but for those of the stages."""
    return 10 + operator.size("packed")
