"""Hardware operators, their kernels, the lowering from QONNX, and the boards."""

from pathlib import Path

PROJECT = "vit"
"""Name of the generated project, of its top-level function and of the files named after it."""

KERNELS = Path(__file__).parent / "kernels"

SHARED_HEADERS = tuple(KERNELS / f"{name}.h" for name in ("blocks", "fixed_point", "lanes", "pot_element", "window"))
"""What the kernels of operators include; it goes into every generated project with them."""
