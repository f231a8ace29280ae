"""Commands that chain the model and the hardware project."""

import hls_projects  # noqa: F401  # turns off onnxruntime's telemetry, ahead of its import
