"""Checks of an operator's folding attributes, with messages that name node, attribute and remedy."""

from __future__ import annotations

from hls_projects.operators.qonnx_node import QonnxNode


def misfit(operator: QonnxNode, name: str, wanted: str) -> ValueError:
    """What to raise where the attribute ``name`` is not as ``wanted``."""
    return ValueError(f"node {operator.onnx_node.name}: {name} must be {wanted}, not {operator.get_nodeattr(name)}")


def check_positive(operator: QonnxNode, *names: str) -> None:
    """Check that integer attributes are at least 1.

    Raises:
        ValueError: one is not.
    """
    for name in names:
        if operator.size(name) < 1:
            raise misfit(operator, name, "at least 1")


def check_divisor(operator: QonnxNode, name: str, whole: str) -> None:
    """Check that the attribute ``name`` divides the size ``whole``.

    Raises:
        ValueError: it does not.
    """
    if operator.size(name) < 1 or operator.size(whole) % operator.size(name):
        raise misfit(operator, name, f"a divisor of {whole}, {operator.size(whole)}")


def check_choice(operator: QonnxNode, name: str, *choices: int | str) -> None:
    """Check that the attribute ``name`` is one of ``choices``.

    Raises:
        ValueError: it is not.
    """
    if operator.get_nodeattr(name) not in choices:
        raise misfit(operator, name, " or ".join(map(str, choices)))
