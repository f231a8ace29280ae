"""What ``flows/bench_csim.py`` measures: one network, and the simulations of it."""
