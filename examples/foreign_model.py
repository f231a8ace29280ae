"""One of our attention blocks in somebody else's QONNX model, through hls4ml as it comes.

    python examples/foreign_model.py [FOLDER]

The model is not this project's: Quant and Relu of QONNX before the block, a matrix product with 4-bit weights after
it. ``register()`` is the one call that makes the hardware operators known to hls4ml; the rest is what its own
documentation says. The compiled project is then held against qonnx's executor: every output must be equal.
"""

from __future__ import annotations

import hls_projects  # noqa: F401  # first, because it turns off onnxruntime's telemetry

# isort: split
import sys
import tempfile
from pathlib import Path

import hls4ml
import numpy as np
from onnx import TensorProto, helper, numpy_helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.util.basic import qonnx_make_model

from hls_projects.operators import DOMAIN, AttentionScores, AttentionValues, IntegerSoftmax
from hls_projects.project.conversion import register

TOKENS, HEADS, HEAD_DIM, OUTPUTS = 8, 2, 4, 3
CHANNELS = HEADS * HEAD_DIM
INT8, UINT8 = DataType["INT8"], DataType["UINT8"]
QONNX = "qonnx.custom_op.general"


def attention(source: str, result: str) -> list:
    """Self-attention on INT8 codes, the same for keys, queries and values; a word of its streams is one element."""
    window = {"n_tokens": TOKENS, "tile_size": TOKENS, "load_size": TOKENS, "n_window": TOKENS, "n_heads": HEADS}
    exponentials = np.rint(255 * np.exp(-np.arange(256) / 16))
    reciprocals = np.rint(2**15 / np.arange(128, 256))
    return [
        AttentionScores.make(
            "scores", [source, source], "score_codes", in_dtypes=[INT8, INT8], out_dtype=INT8,
            head_dim=HEAD_DIM, out_shift=4, **window,
        ),
        IntegerSoftmax.make(
            "softmax", ["score_codes"], "probabilities", in_dtypes=[INT8], out_dtype=UINT8,
            n_codes=256, out_shift=7, exp_table=exponentials, reciprocal_table=reciprocals, **window,
        ),
        AttentionValues.make(
            "values", ["probabilities", source], result, in_dtypes=[UINT8, INT8], out_dtype=INT8,
            head_dim=HEAD_DIM, out_shift=8, **window,
        ),
    ]  # fmt: skip


def quant(source: str, result: str) -> object:
    """QONNX's quantizer; hls4ml wants constants of its own for each."""
    inputs = [source, *(f"{result}_{name}" for name in ("scale", "zero_point", "bits"))]
    return helper.make_node(
        "Quant", inputs, [result], name=f"to_{result}", domain=QONNX, signed=1, narrow=0, rounding_mode="ROUND"
    )


def quant_constants(result: str, bits: int) -> dict[str, np.ndarray]:
    """Whole numbers of ``bits`` bits: scale 1, zero point 0."""
    values = {"scale": 1, "zero_point": 0, "bits": bits}
    return {f"{result}_{name}": np.float32(value) for name, value in values.items()}


def foreign_model() -> ModelWrapper:
    """(1, 8, 8) whole numbers in, (1, 3) out."""
    random = np.random.default_rng(0)
    constants = {
        "elements": np.array([1, TOKENS * CHANNELS, 1], dtype=np.int64),
        "flat": np.array([1, TOKENS * CHANNELS], dtype=np.int64),
        "weights": random.integers(-8, 8, (TOKENS * CHANNELS, OUTPUTS)).astype(np.float32),
        **quant_constants("codes", 8),
        **quant_constants("weight_codes", 4),
    }
    nodes = [
        quant("x", "codes"),
        helper.make_node("Relu", ["codes"], ["positive"], name="relu"),
        # A stock stream has a token a word, ours an element; hls4ml wants the tensor called after the node.
        helper.make_node("Reshape", ["positive", "elements"], ["words"], name="words"),
        *attention("words", "attended"),
        helper.make_node("Reshape", ["attended", "flat"], ["flattened"], name="flattened"),
        quant("weights", "weight_codes"),
        helper.make_node("MatMul", ["flattened", "weight_codes"], ["y"], name="classify"),
    ]
    shapes = {
        "codes": (1, TOKENS, CHANNELS),
        "positive": (1, TOKENS, CHANNELS),
        "words": (1, TOKENS * CHANNELS, 1),
        "score_codes": (1, TOKENS, HEADS * TOKENS),
        "probabilities": (1, TOKENS, HEADS * TOKENS),
        "attended": (1, TOKENS, CHANNELS),
        "flattened": (1, TOKENS * CHANNELS),
        "weight_codes": (TOKENS * CHANNELS, OUTPUTS),
    }
    graph = helper.make_graph(
        nodes,
        "foreign",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, TOKENS, CHANNELS))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, OUTPUTS))],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
        value_info=[helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n, shape in shapes.items()],
    )
    imports = [helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 1), helper.make_opsetid(QONNX, 1)]
    return ModelWrapper(qonnx_make_model(graph, opset_imports=imports))


def convert(model: ModelWrapper, folder: Path) -> hls4ml.model.ModelGraph:
    """The foreign model as a project of stock hls4ml in ``folder``."""
    register()
    config = hls4ml.utils.config_from_onnx_model(
        model.model, granularity="name", backend="Vitis", default_precision="ap_int<24>"
    )
    return hls4ml.converters.convert_from_onnx_model(
        model.model, hls_config=config, output_dir=str(folder), backend="Vitis", io_type="io_stream"
    )


def compare(folder: Path, count: int = 20) -> int:
    """Outputs that differ between qonnx and the compiled project, of ``count`` random inputs."""
    model = foreign_model()
    inputs = np.random.default_rng(1).integers(-128, 128, (count, TOKENS, CHANNELS)).astype(np.float32)
    expected = np.concatenate([execute_onnx(model, {"x": each[None]})["y"] for each in inputs])
    project = convert(model, folder)
    project.compile()
    return int((project.predict(inputs) != expected).sum())


def main(argv: list[str]) -> int:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(argv[0]) if argv else Path(scratch) / "hls"
        different = compare(folder)
    print(f"outputs that differ between qonnx and the compiled project: {different}")
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
