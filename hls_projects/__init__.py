"""Hardware operators, their kernels, the lowering from QONNX, and the boards."""
