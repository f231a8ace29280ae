"""QONNX graphs: reading and checking files, executing them, and analysing the ranges of their tensors."""
