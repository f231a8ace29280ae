"""Hardware operators, their kernels, the lowering from QONNX, and the boards."""

from pathlib import Path

PROJECT = "vit"
"""Name of the generated project, of its top-level function and of the files named after it."""

AXI_TOP = f"{PROJECT}_axi"
"""Name of the top-level function that goes onto a board: the project between AXI4-Stream interfaces."""

KERNELS = Path(__file__).parent / "kernels"

SHARED_HEADERS = tuple(KERNELS / f"{name}.h" for name in ("blocks", "fixed_point", "lanes", "pot_element", "window"))
"""Headers that the kernels of operators include; they go into every generated project."""
