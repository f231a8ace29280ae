"""The table of phases as text, as CSV and as plain data."""

from __future__ import annotations

import csv
import dataclasses
import io
from typing import Any

from flows.evaluation.lineage import Checkpoint
from flows.evaluation.measures import Blocks, Score
from flows.evaluation.phases import Evaluation, Row
from flows.evaluation.seeds import in_words, spreads
from flows.reporting.facts import CIFAR10_NAMES
from flows.reporting.formatting import count, fixed
from flows.reporting.text_table import text_table

# Of evaluation.json.
SCHEMA_VERSION = 2
HEADER = ("phase", "checkpoint", "top-1 %", "loss", "parameters", "bits", "bytes", "zeros %", "zeros per block")
TEXT_COLUMNS = (0, 1, 8)
COLUMNS = (
    "phase", "checkpoint", "accuracy", "loss", "reference", "parameters", "weight_bits", "bytes", "sparsity",
    "block_size", "zeros_per_block_min", "zeros_per_block_max", "blocks", "broken_blocks", "unmasked_weights",
    "mismatched_logits", "notes",
)  # fmt: skip


def as_text(found: Evaluation, split: str) -> str:
    """Phases, notes, the spread of seeds and the accuracy by class, for a terminal."""
    lines = [f"{count(len(found.dataset))} images of the {split} split", ""]
    lines.append(text_table(HEADER, map(_cells, found.rows), left=TEXT_COLUMNS))
    notes = [f"{row.phase}, {row.checkpoint}: {note}" for row in found.rows for note in row.notes]
    lines += ["", "loss: accuracy of the float model less that of the row, in percentage points", *notes]
    seeds = [in_words(spread) for spread in spreads(found)]
    lines += ["", *seeds] if seeds else []
    recalls = [(member.name, *_recall(found.scores[member.digest])) for member in found.family.members.values()]
    lines += ["", "accuracy by class, %", text_table(("checkpoint", *CIFAR10_NAMES), recalls)]
    return "\n".join(lines) + "\n"


def as_csv(found: Evaluation) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_record(row) | {"notes": "; ".join(row.notes)} for row in found.rows)
    return text.getvalue()


def as_facts(found: Evaluation, split: str) -> dict[str, Any]:
    """Plain data for JSON."""
    return {
        "schema_version": SCHEMA_VERSION,
        "split": split,
        "images": len(found.dataset),
        "classes": list(CIFAR10_NAMES),
        "phases": [_record(row) | {"correct": row.score.correct if row.score else None} for row in found.rows],
        "seeds": [dataclasses.asdict(spread) for spread in spreads(found)],
        "checkpoints": [_checkpoint(member, found) for member in found.family.members.values()],
    }


def confusion_name(name: str) -> str:
    return f"confusion-{name}.png"


def _checkpoint(checkpoint: Checkpoint, found: Evaluation) -> dict[str, Any]:
    score = found.scores[checkpoint.digest]
    return {
        "name": checkpoint.name,
        "sha256": checkpoint.digest,
        "config": dataclasses.asdict(checkpoint.model.config),
        "recipe": checkpoint.recipe,
        "start_sha256": checkpoint.start_digest,
        "accuracy": round(score.accuracy, 4),
        "accuracy_by_class": [None if value is None else round(value, 4) for value in score.recall],
        "confusion": score.confusion.tolist(),
        "confusion_plot": confusion_name(checkpoint.name),
    }


def _record(row: Row) -> dict[str, Any]:
    blocks = row.blocks
    low, high = blocks.zeros if blocks else (None, None)
    return {
        "phase": row.phase,
        "checkpoint": row.checkpoint,
        "accuracy": _rounded(row.accuracy, 4),
        "loss": _rounded(row.loss, 4),
        "reference": row.reference,
        "parameters": row.parameters,
        "weight_bits": row.weight_bits,
        "bytes": row.bytes,
        "sparsity": _rounded(row.sparsity, 6),
        "block_size": blocks.block if blocks else None,
        "zeros_per_block_min": low,
        "zeros_per_block_max": high,
        "blocks": blocks.count if blocks else None,
        "broken_blocks": blocks.broken if blocks else None,
        "unmasked_weights": row.unmasked,
        "mismatched_logits": row.mismatched_logits,
        "notes": list(row.notes),
    }


def _cells(row: Row) -> tuple[str | None, ...]:
    return (
        row.phase,
        row.checkpoint,
        fixed(row.accuracy, 2),
        fixed(row.loss, 2),
        fixed(row.parameters, 0),
        fixed(row.weight_bits, 0),
        fixed(row.bytes, 0),
        fixed(None if row.sparsity is None else 100 * row.sparsity, 2),
        _blocks(row.blocks),
    )


def _blocks(blocks: Blocks | None) -> str | None:
    if blocks is None:
        return None
    zeros = "-".join(str(number) for number in dict.fromkeys(blocks.zeros))
    return f"{zeros} of {blocks.block}, {f'TOO FEW in {count(blocks.broken)}' if blocks.broken else 'everywhere'}"


def _recall(score: Score) -> list[str | None]:
    return [fixed(value, 1) for value in score.recall]


def _rounded(value: float | None, places: int) -> float | None:
    return None if value is None else round(value, places)
