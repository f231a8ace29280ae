"""Hardware operators, their kernels, the lowering from QONNX, and the boards."""

import os
from pathlib import Path

# onnxruntime, which qonnx brings, otherwise writes an identifier of this machine and a database of events into the
# user's cache when it is imported, and may send them. Every package of the project imports this one first.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

PROJECT = "vit"
"""Name of the generated project, of its top-level function and of the files named after it."""

AXI_TOP = f"{PROJECT}_axi"
"""Name of the top-level function that goes onto a board: the project between AXI4-Stream interfaces."""

KERNELS = Path(__file__).parent / "kernels"

SHARED_HEADERS = tuple(KERNELS / f"{name}.h" for name in ("blocks", "fixed_point", "lanes", "pot_element", "window"))
"""Headers that the kernels of operators include; they go into every generated project."""
