"""The results of a study: all trials as CSV and JSON, the Pareto front as a table and a plot."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial

from flows.plots.search_plot import front_plot
from flows.reporting.formatting import figure, plain, plural
from flows.reporting.text_table import text_table
from flows.searching.hardware import OBJECTIVE
from flows.searching.ledger import Ledger, lost
from flows.searching.sampler import point_of
from flows.searching.space import SearchSpace
from hls_projects.cost import KINDS
from hls_projects.files import write_whole

# Of trials.json.
SCHEMA_VERSION = 2
FIELDS = tuple(SearchSpace.__dataclass_fields__)
FACTS = {"seconds": "seconds", "folder": "folder", "rerun_of": "again_of", "reason": "reason"}
# Figures of a search with a board.
BOARD = (OBJECTIVE, *KINDS)
COLUMNS = (
    "trial", "accuracy", "parameters", "multiply_accumulates", "embed_dim", "depth", "num_heads", "mlp_ratio",
    "patch_size", "global_pool", "weight_format",
)  # fmt: skip
SHORT = {
    "multiply_accumulates": "MACs", "embed_dim": "dim", "num_heads": "heads", "mlp_ratio": "mlp",
    "patch_size": "patch", "global_pool": "pool", "weight_format": "format",
}  # fmt: skip


def rows(ledger: Ledger) -> list[dict[str, Any]]:
    """One row a trial, in their order; ``accuracy`` (%) is that after its last epoch."""
    front = {trial.number for trial in ledger.front()}
    return [_row(trial, trial.number in front) for trial in ledger.trials()]


def _row(trial: FrozenTrial, on_front: bool) -> dict[str, Any]:
    facts = trial.user_attrs
    accuracies = facts.get("accuracies", [])
    return {
        "trial": trial.number,
        "state": "LOST" if lost(trial) else trial.state.name,
        "on_front": on_front,
        "accuracy": accuracies[-1] if accuracies else None,
        **{name: facts.get(name) for name in ("parameters", "multiply_accumulates")},
        **{name: facts[name] for name in BOARD if name in facts},
        **{name: point_of(trial).get(name) for name in FIELDS},
        "epochs": len(accuracies),
        "accuracies": accuracies,
        "worker_failures": len(facts.get("deaths", [])),
        **{name: facts.get(attribute) for name, attribute in FACTS.items()},
    }


def write_report(ledger: Ledger, out: Path) -> list[dict[str, Any]]:
    """``trials.csv``, ``trials.json`` and ``front.png`` in ``out``, each whole or as it was; returns the rows."""
    found = rows(ledger)
    facts = {
        "schema_version": SCHEMA_VERSION,
        "study": ledger.study.study_name,
        "search": ledger.study.user_attrs["search"],
        "trials": found,
    }
    write_whole(out / "trials.json", json.dumps(facts, indent=1) + "\n")
    if found:
        write_whole(out / "trials.csv", _csv(found))
    write_whole(out / "front.png", front_plot(found, ledger.objective))
    return found


def _csv(found: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, max(map(list, found), key=len), lineterminator="\n")
    writer.writeheader()
    writer.writerows(row | {"accuracies": " ".join(map(str, row["accuracies"]))} for row in found)
    return text.getvalue()


def front_table(found: list[dict[str, Any]], objective: str) -> str:
    """The Pareto front, cheapest first, and how many trials ended how."""
    front = sorted((row for row in found if row["on_front"]), key=lambda row: row[objective])
    columns = dict.fromkeys((*COLUMNS, objective))
    cells = [[_cell(row[name]) for name in columns] for row in front]
    header = [SHORT.get(name, name) for name in columns]
    counts = {state: sum(row["state"] == state for row in found) for state in ("COMPLETE", "PRUNED", "FAIL", "LOST")}
    ended = (
        f"{plural(counts['COMPLETE'], 'trial')} complete, {counts['PRUNED']:,} stopped early, {counts['FAIL']:,} failed"
    )
    if counts["LOST"]:
        ended += f"; {counts['LOST']:,} lost with their driver and run again"
    return plain("\n".join([text_table(header, cells, left=()), ended]))


def _cell(value: Any) -> str | None:
    return figure(value) if isinstance(value, int | float) else value
