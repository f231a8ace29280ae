"""What twins take by Yosys, as tables that a cost model is fitted to, and the commands that make them."""
