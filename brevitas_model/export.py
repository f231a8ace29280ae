"""Export of a trained model to QONNX, by Brevitas, with every quantizer left visible."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from brevitas.export import export_qonnx
from qonnx.core.modelwrapper import ModelWrapper

from brevitas_model.hybrid import HybridTransformer
from brevitas_model.tidying import tidy_up
from brevitas_model.training.threads import one_thread
from brevitas_model.vit import VisionTransformer


def export(model: VisionTransformer | HybridTransformer, path: Path) -> ModelWrapper:
    """Write ``model`` to ``path`` and return it, tidied up.

    The graph takes uint8 values in float32, (1, ``image_size``, ``image_size``, ``in_channels``),
    and gives logits in real units, (1, ``num_classes``). Its metadata hold the ``tile_size``, which no
    tensor of global attention shows.

    Raises:
        ValueError: the model has no quantizers.
    """
    if not model.config.quantized:
        raise ValueError("a float model has no exact integer form; train it with weight_format pot4 or pot6")
    size, channels = model.config.image_size, model.config.in_channels
    with warnings.catch_warnings(), torch.no_grad(), one_thread():
        warnings.simplefilter("ignore")  # the exporters warn of their own deprecations
        export_qonnx(
            model.eval(),
            args=torch.zeros(1, size, size, channels),
            export_path=str(path),
            input_names=["pixels"],
            output_names=["logits"],
            dynamo=False,  # its node names are module paths, which errors and reports can show
        )
    tidy = tidy_up(ModelWrapper(str(path), fix_missing_initializer_valueinfo=False))
    tidy.set_metadata_prop("tile_size", str(model.config.tile_size))
    tidy.save(str(path))
    return tidy
