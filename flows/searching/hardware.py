"""What a model takes of a board, before it is trained: the price of a search with ``--target``.

A model of random weights, with the zeros that pruning will leave, is exported, lowered and folded as a build does;
the folding and its cost are those of :mod:`hls_projects.folding` and :mod:`hls_projects.cost`.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch

from brevitas_model.config import ConfigError, ViTConfig
from brevitas_model.export import export
from brevitas_model.pruning import apply_masks, make_masks
from brevitas_model.training.recipe import Pruning
from brevitas_model.training.run import calibrate
from brevitas_model.vit import VisionTransformer
from flows.searching.cost import cost
from hls_projects.cost import KINDS
from hls_projects.dataflow import NetworkError
from hls_projects.folding.folded import Folded
from hls_projects.folding.options import FILL, FoldingError, FoldOptions
from hls_projects.folding.search import fold_pipeline
from hls_projects.lowering import LoweringError, lower
from hls_projects.targets import Target

# The figure of :class:`BoardPrice` that a search minimizes: cycles between two images.
OBJECTIVE = "interval_cycles"
# As in the shipped recipe.
PRUNING = Pruning(sparsity=0.5, structure="block", block=16)
# Images of noise that the activations' scales are calibrated on.
IMAGES = 8


@dataclass(frozen=True)
class BoardPrice:
    """Prices models on a board.

    Args:
        target: the board.
        fill: largest share of any of its resources.
    """

    target: Target
    fill: float = FILL

    def __call__(self, config: ViTConfig) -> dict[str, float]:
        """The figures of :func:`flows.searching.cost.cost`, ``interval_cycles``, and LUT, FF, BRAM36 and DSP used.

        Raises:
            ConfigError: a model without quantizers, or one that does not fit the board.
        """
        if not config.quantized:
            raise ConfigError("a float model has no hardware; leave weight_format float out of the space")
        try:
            folded = self._folded(config)
        except (FoldingError, LoweringError, NetworkError) as error:
            raise ConfigError(f"not for {self.target.name}: {error}") from error
        used = {kind: round(value, 1) for kind, value in zip(KINDS, folded.plan.resources.values(), strict=True)}
        return cost(config) | {OBJECTIVE: folded.plan.interval_cycles} | used

    def _folded(self, config: ViTConfig) -> Folded:
        with tempfile.TemporaryDirectory() as folder:
            lowered = lower(export(random_model(config), Path(folder) / "model.onnx"))
        return fold_pipeline(lowered, self.target, FoldOptions(fill=self.fill), rough=True)


def random_model(config: ViTConfig) -> VisionTransformer:
    """A pruned model of random weights, the same one each time, with scales calibrated on noise."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = VisionTransformer(config)
        apply_masks(model, make_masks(model, PRUNING))
        size = config.image_size
        calibrate(model, [torch.randint(0, 256, (IMAGES, size, size, config.in_channels)).float()])
    return model.eval()
