"""Looking at a model on a board: its estimate, its timed simulation, its Verilog, its vendor reports."""
