"""A model on two boards in a chain, on paper: where it is cut, and what each half could do.

    python examples/two_boards.py [TARGET]

The cut lies after a transformer block, where one stream of tokens crosses. Each half gets the fastest folding that
fits its board by the same model as flows/estimate.py, with the FIFOs and forks of the whole model charged to both.
The images/s are those of the slowest operator, not of a simulated pipeline; the link is taken as free, and
what it must carry is printed. Nothing of this was built.
"""

from __future__ import annotations

import sys

from flows.building.cached_graphs import lowered_graph
from flows.command_line.options import SHIPPED_CHECKPOINT
from hls_projects.folding.choices import choice_table, operators_of
from hls_projects.folding.options import FILL, FoldOptions
from hls_projects.folding.plan import Plan, fastest_plan, utilization
from hls_projects.folding.search import fold_pipeline
from hls_projects.operators import HardwareOperator
from hls_projects.targets import Target, load_target

Operators = dict[str, HardwareOperator]


def cuts(operators: Operators) -> list[str]:
    """Operators after which one stream goes on: the last of each block but the last."""
    ends = [name for name in operators if name.endswith("_mlp_add")]
    return ends[:-1]


def halves(operators: Operators, cut: str) -> tuple[Operators, Operators]:
    """The operators up to and with ``cut``, and the rest."""
    names = list(operators)
    place = names.index(cut) + 1
    return {name: operators[name] for name in names[:place]}, {name: operators[name] for name in names[place:]}


def row(what: str, plans: list[Plan], target: Target, link: int = 0) -> str:
    """One line of the table; ``link``: bytes an image between the boards."""
    interval = max(plan.interval_cycles for plan in plans)
    speed = target.clock_mhz * 1e6 / interval
    shares = " + ".join(f"{utilization(plan.resources, target):.0%}" for plan in plans)
    carried = f"{link * speed / 1e6:.1f} MB/s" if link else "-"
    return f"{what:<28} {interval:>9,} {speed:>10,.0f} {shares:>12} {carried:>12}"


def main(argv: list[str]) -> int:
    target = load_target(argv[0] if argv else "pynq-z2")
    model = lowered_graph(SHIPPED_CHECKPOINT)
    operators = operators_of(model)
    whole = fold_pipeline(model, target, FoldOptions(), rough=True).plan
    print(f"{'cut after':<28} {'cycles':>9} {'images/s':>10} {'share':>12} {'link':>12}")
    print(row(f"none: one {target.name}", [whole], target))
    for cut in cuts(operators):
        tables = [choice_table(half) for half in halves(operators, cut)]
        plans = [fastest_plan(table, target, FILL, whole.fixed) for table in tables]
        tokens, channels = operators[cut].output_shape()
        print(row(cut, plans, target, tokens * channels * operators[cut].out_dtype.bitwidth() // 8))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
