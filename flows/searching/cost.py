"""What a model costs, from its configuration alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from brevitas_model.config import ViTConfig

# Figures of a model by name.
Price = Callable[[ViTConfig], Mapping[str, float]]
# The figure of :func:`cost` that a search minimizes where it has no board.
OBJECTIVE = "parameters"


def cost(config: ViTConfig) -> dict[str, int]:
    """Figures of one model.

    Returns:
        ``parameters``: weights, biases and embeddings, as ``brevitas_model.vit.count_parameters``
        counts them; ``multiply_accumulates``: of one image, in linear layers and in attention.
    """
    dim, hidden, tokens = config.embed_dim, config.hidden_dim, config.num_tokens
    attention, mlp = 4 * dim * dim, 2 * dim * hidden
    patches, head = config.patch_features * dim, dim * config.num_classes
    biases = 4 * dim + hidden + dim
    return {
        "parameters": (
            patches + dim + tokens * dim + config.depth * (attention + mlp + biases) + head + config.num_classes
        ),
        "multiply_accumulates": (
            config.num_patches * patches
            + config.depth * (tokens * (attention + mlp) + 2 * config.num_scores * dim)
            + head
        ),
    }
