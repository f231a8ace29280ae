"""Resources of attention's two products over a grid of foldings, for 3 heads of 32 channels that see 64 tokens.

``python -m hls_projects.rtl.measure_attention`` makes ``measurements/attention_scores.csv`` and
``attention_values.csv`` beside this file anew. Yosys maps across the modules' borders, which takes minutes.
"""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

from qonnx.core.datatype import DataType
from qonnx.custom_op.registry import getCustomOp

from hls_projects.operators import AttentionScores, AttentionValues
from hls_projects.operators.products import stage_clocks
from hls_projects.operators.window import Window
from hls_projects.rtl.synthesis import synthesise
from hls_projects.rtl.twin import LIBRARY

# Only what they are made of, for other modules in the list change how Yosys numbers and so, by a little, maps.
SOURCES = ("attention_*.v", "multiply_accumulate*.v", "loop_counter.v", "element_ram.v")
MEASUREMENTS = Path(__file__).parent / "measurements"
SIZES = {"n_heads": 3, "head_dim": 32, "out_shift": 8} | dataclasses.asdict(Window.whole(64, tile_size=8))
TYPES = {AttentionScores: ("INT8", "INT8"), AttentionValues: ("UINT8", "INT8")}
# parallel_heads, parallel_keys or parallel_channels, packed.
PLAIN = [(1, 1, 0), (1, 2, 0), (1, 4, 0), (1, 8, 0), (3, 2, 0), (3, 4, 0), (3, 8, 0)]
GRID = [*PLAIN, (1, 4, 1), (1, 8, 1), (3, 4, 1), (3, 8, 1), (3, 11, 1)]


def measure(cls: type[AttentionScores] | type[AttentionValues], folding: tuple[int, ...]) -> dict[str, object]:
    """A row of the table: the folding, the clocks of a picture, the resources."""
    folds = dict(zip(cls.folding, folding, strict=True))
    types = [DataType[name] for name in TYPES[cls]]
    node = cls.make("node", ["x", "y"], "z", in_dtypes=types, out_dtype=DataType["INT8"], **SIZES, **folds)
    operator = getCustomOp(node)
    twin = operator.twin()
    sources = [operator.header().with_suffix(".v"), *(path for name in SOURCES for path in sorted(LIBRARY.glob(name)))]
    resources = synthesise(twin.module, twin.parameters, sources, twin.memories, flatten=True)
    clocks = stage_clocks(operator)
    interval = operator.size("n_tokens") * max(clocks["load"], clocks["work"], clocks["store"])
    return folds | {"clocks": interval} | dataclasses.asdict(resources)


def main() -> None:
    for cls in TYPES:
        rows = [measure(cls, folding) for folding in GRID]
        MEASUREMENTS.mkdir(exist_ok=True)
        with (MEASUREMENTS / f"{cls.kernel}.csv").open("w", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            table.writeheader()
            table.writerows(rows)


if __name__ == "__main__":
    main()
