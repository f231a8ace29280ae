"""Verilog twins of the operators: shared modules, simulation and synthesis."""
