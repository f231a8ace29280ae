"""The hardware operators. qonnx finds them here by the name of this package, their ONNX domain."""

from hls_projects.operators.activation_table import ActivationTable
from hls_projects.operators.attention import AttentionScores, AttentionValues
from hls_projects.operators.base import DOMAIN, HardwareOperator
from hls_projects.operators.channel_slice import ChannelSlice
from hls_projects.operators.head import Head
from hls_projects.operators.integer_layer_norm import IntegerLayerNorm
from hls_projects.operators.integer_softmax import IntegerSoftmax
from hls_projects.operators.patch_reader import PatchReader
from hls_projects.operators.position_embedding import PositionEmbedding
from hls_projects.operators.pot_linear import PotLinear
from hls_projects.operators.residual_add import ResidualAdd
from hls_projects.operators.token_pooling import TokenPooling

OPERATORS: tuple[type[HardwareOperator], ...] = (
    PatchReader,
    PotLinear,
    ChannelSlice,
    PositionEmbedding,
    IntegerLayerNorm,
    AttentionScores,
    IntegerSoftmax,
    AttentionValues,
    ResidualAdd,
    ActivationTable,
    TokenPooling,
    Head,
)

__all__ = ["DOMAIN", "OPERATORS", "HardwareOperator", *(operator.__name__ for operator in OPERATORS)]
