"""Folding of batch norm: its gain and offset become part of the convolution in front of it."""

from __future__ import annotations

import torch
from torch import Tensor

from brevitas_model.hybrid import HybridTransformer, NormedConv


@torch.no_grad()
def folded_state(model: HybridTransformer) -> dict[str, Tensor]:
    """State of the float ``model`` without batch norms, as a quantized model of the same stages takes it.

    Each convolution gets the weights and the bias that compute what it and its norm compute in eval mode.
    Zeros stay zeros.
    """
    state = model.state_dict()
    for name, module in model.named_modules():
        if not isinstance(module, NormedConv):
            continue
        norm = module.norm
        gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        state[f"{name}.conv.weight"] = module.conv.weight * gain[:, None, None, None]
        state[f"{name}.conv.bias"] = norm.bias - norm.running_mean * gain
        for key in norm.state_dict():
            del state[f"{name}.norm.{key}"]
    return state
