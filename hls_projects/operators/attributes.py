"""Quick reads and writes of an ONNX node's attributes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from onnx import AttributeProto, NodeProto

T = TypeVar("T")


class NodeAttributes:
    """The attributes of one node.

    qonnx builds a table of all attributes for every access, which is too slow for a solver that changes and reads
    thousands of foldings. This class finds an attribute once and then works on it in place.

    Args:
        node: the node. Other objects may change the same node, so :meth:`current` never caches a value.
        read: qonnx's reader of an attribute by name, which also knows the default values.
    """

    def __init__(self, node: NodeProto, read: Callable[[str], Any]) -> None:
        self._node, self._read = node, read
        self._found: dict[str, AttributeProto] = {}
        self._cached: dict[str, Any] = {}

    def current(self, name: str) -> int | str:
        """An integer or a string as the node has it now, else its default."""
        found = self._find(name)
        if found is None:
            return self._read(name)
        return found.s.decode() if found.type == AttributeProto.STRING else found.i

    def once(self, name: str, convert: Callable[[Any], T]) -> T:
        """An attribute that only :meth:`replace` and :meth:`forget` announce changes of; converted at the first read.

        Args:
            convert: from qonnx's value; always the same function for one name.
        """
        if name not in self._cached:
            self._cached[name] = convert(self._read(name))
        return self._cached[name]

    def forget(self, name: str) -> None:
        """Drop what :meth:`once` has cached, because the attribute changes."""
        self._cached.pop(name, None)

    def replace(self, name: str, value: object) -> bool:
        """Overwrite an integer or a string in place.

        Returns:
            Whether that was done: not where the node lacks the attribute, or has it with another type.
        """
        self.forget(name)
        found = self._find(name)
        if found is not None and found.type == AttributeProto.INT and isinstance(value, int):
            found.i = value
            return True
        if found is not None and found.type == AttributeProto.STRING and isinstance(value, str):
            found.s = value.encode()
            return True
        return False

    def _find(self, name: str) -> AttributeProto | None:
        if name not in self._found:
            found = next((attribute for attribute in self._node.attribute if attribute.name == name), None)
            if found is None:
                return None
            self._found[name] = found
        return self._found[name]
