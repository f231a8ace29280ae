"""Parameters and memories that an operator gives to its Verilog module, its twin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from qonnx.core.datatype import BaseDataType

LIBRARY = Path(__file__).parent / "modules"


@dataclass(frozen=True)
class Memory:
    """Contents of a memory, which a module reads with ``$readmemh``.

    Args:
        width: bits of a word.
        words: integers; negative ones in two's complement.
    """

    width: int
    words: tuple[int, ...]

    @classmethod
    def of(cls, width: int, words: Iterable[int]) -> Memory:
        """Make a memory from any integers, also from those of a numpy array.

        Raises:
            ValueError: a word does not fit into ``width`` bits, signed or unsigned.
        """
        plain = tuple(int(word) for word in words)
        if any(not -(1 << (width - 1)) <= word < 1 << width for word in plain):
            raise ValueError(f"a memory of {width} bits does not hold {min(plain)} to {max(plain)}")
        return cls(width, plain)

    def hex(self) -> str:
        """The text of the file for ``$readmemh``."""
        return "".join(f"{word & ((1 << self.width) - 1):x}\n" for word in self.words)


@dataclass(frozen=True)
class Twin:
    """An operator's Verilog module, with the values of its parameters and the contents of its memories.

    Args:
        module: its name, also of its file: beside the kernel or in :data:`LIBRARY`.
        parameters: values of its integer parameters by their names in Verilog.
        memories: by name; the module takes the path of the file of ``exp_table`` in ``EXP_TABLE_FILE``.
    """

    module: str
    parameters: Mapping[str, int] = field(default_factory=dict)
    memories: Mapping[str, Memory] = field(default_factory=dict)

    def files(self, prefix: str = "") -> dict[str, str]:
        """Values of the parameters that name a memory's file: ``prefix`` and the memory's name."""
        return {f"{name.upper()}_FILE": f"{prefix}{name}.hex" for name in self.memories}

    def write_memories(self, folder: Path, prefix: str = "") -> None:
        """Write the files that :meth:`files` names into ``folder``."""
        for name, memory in self.memories.items():
            (folder / f"{prefix}{name}.hex").write_text(memory.hex())


def code_type(name: str, dtype: BaseDataType) -> dict[str, int]:
    """Parameters of a module for the codes of ``dtype``: ``<name>_WIDTH``, and ``<name>_SIGNED`` as 0 or 1."""
    return {f"{name}_WIDTH": dtype.bitwidth(), f"{name}_SIGNED": int(dtype.signed())}
