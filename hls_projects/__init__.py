"""Hardware operators, their kernels, the lowering from QONNX, and the boards."""

PROJECT = "vit"
"""Name of the generated project, of its top-level function and of the files named after it."""
