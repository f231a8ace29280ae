"""A vision transformer whose weights are powers of two: configuration, model, training, export."""

import logging
import warnings

import hls_projects  # noqa: F401  # turns off onnxruntime's telemetry, ahead of its import

# Brevitas looks, at import, for two things that this project has no use for, and says so: a package
# of kernels and a CUDA compiler.
warnings.filterwarnings("ignore", message="fast_hadamard_transform package not found")
logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
