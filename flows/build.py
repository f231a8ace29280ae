"""Build the HLS project of a quantized model and check that it computes the same logits.

    python flows/build.py --target pynq-z2

A trained vision transformer goes from PyTorch through QONNX and hls4ml to C++; torch, QONNX, the lowered graph and
the C-simulation must agree on every logit. A vendor's tool that is not there is reported in one line, changes no
exit status, and leaves its script ready in the folder vendor.

Exit status 1: a logit differs, and the last line names the operator.
"""

from __future__ import annotations

import argparse
import sys

from flows.building.settings import add_options, settings_of
from flows.command_line import Command


def run(args: argparse.Namespace) -> int:
    settings = settings_of(args)
    from flows.building.build import build

    return build(settings)


COMMAND = Command("build", __doc__, add_options, run, "the earlier output is as it was")
main = COMMAND.main

if __name__ == "__main__":
    sys.exit(main())
