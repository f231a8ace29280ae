"""Verilog twins of the kernels: modules that they share, their test bench and their synthesis."""
