"""A vision transformer whose weights are powers of two: configuration, model, training, export."""

import warnings

# Brevitas tells, at import, of an optional package that this project has no use for.
warnings.filterwarnings("ignore", message="fast_hadamard_transform package not found")
