"""The rows of the table: every model runs once, and all its figures come from those logits."""

from __future__ import annotations

import copy
import dataclasses
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from qonnx.core.modelwrapper import ModelWrapper
from torch import nn
from tqdm import tqdm

from brevitas_model.checkpoint import load_masks
from brevitas_model.export import export
from brevitas_model.pruning import apply_masks, layers
from brevitas_model.shipped import CheckpointError
from brevitas_model.training.data import Dataset
from brevitas_model.training.recipe import Pruning
from brevitas_model.training.run import EVAL_BATCH
from brevitas_model.vit import count_parameters
from flows.evaluation.exported import Exported, read_exported
from flows.evaluation.lineage import Checkpoint, Family, StartError
from flows.evaluation.measures import (
    Blocks,
    Score,
    Weights,
    check_blocks,
    packed_bytes,
    unmasked_count,
    weight_bits,
    weights_of,
    zero_share,
)
from hls_projects.graphs.qonnx_runtime import run_standard

# Fields in which two configurations of the same shape may differ.
NUMBER_FORMATS = {"weight_format", "weight_scaling", "activation_bits", "logit_bits"}


@dataclass(frozen=True)
class Row:
    """A phase of a checkpoint.

    Args:
        phase: ``float``, ``pruned`` (before tuning), ``fine-tuned``, ``4 bits``, ``6 bits`` or ``exported``.
        checkpoint: name of the checkpoint that the phase belongs to.
        score: None where the phase could not be evaluated; ``notes`` say why.
        loss: points under the float model, None where there is none to compare with.
        reference: name of that float model.
        parameters, weight_bits, bytes, sparsity: see :mod:`flows.evaluation.measures`.
        blocks: of a block-balanced pruning.
        unmasked: weights that the checkpoint's masks remove and that are not zero.
        mismatched_logits: of an exported file, against torch.
        notes: sentences for the reader.
    """

    phase: str
    checkpoint: str
    score: Score | None = None
    loss: float | None = None
    reference: str | None = None
    parameters: int | None = None
    weight_bits: int | None = None
    bytes: int | None = None
    sparsity: float | None = None
    blocks: Blocks | None = None
    unmasked: int = 0
    mismatched_logits: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def accuracy(self) -> float | None:
        return self.score.accuracy if self.score else None

    @property
    def holds(self) -> bool:
        """Whether zeros are where pruning promised them, and every exported logit matches."""
        return not (self.mismatched_logits or self.unmasked or (self.blocks and self.blocks.broken))


@dataclass
class Evaluation:
    """Everything that was found: rows in order, and the score of every checkpoint by its digest."""

    family: Family
    dataset: Dataset
    rows: list[Row] = field(default_factory=list)
    scores: dict[str, Score] = field(default_factory=dict)

    def reference(self, checkpoint: Checkpoint) -> Checkpoint | None:
        """The float model that ``checkpoint`` descends from, else the first of its shape; None if neither is there."""
        line = [checkpoint, *self.family.ancestors(checkpoint)]
        known = [member for member in line if _is_float(member)]
        if known:
            return known[-1]
        members = self.family.members.values()
        return next((m for m in members if _is_float(m) and _shape(m) == _shape(checkpoint)), None)

    @property
    def holds(self) -> bool:
        return all(row.holds for row in self.rows)


def evaluate(family: Family, dataset: Dataset) -> Evaluation:
    """Run every phase of every member of ``family`` on ``dataset``.

    Raises:
        CheckpointError: a promise of zeros that does not fit its model.
    """
    found = Evaluation(family, dataset)
    rows = [(checkpoint, row) for checkpoint in family.members.values() for row in _rows(found, checkpoint)]
    found.rows = [_against_float(found, checkpoint, row) for checkpoint, row in rows]
    return found


def _against_float(found: Evaluation, checkpoint: Checkpoint, row: Row) -> Row:
    reference = found.reference(checkpoint)
    if reference is None or row.accuracy is None:
        return row
    loss = found.scores[reference.digest].accuracy - row.accuracy
    return dataclasses.replace(row, loss=loss, reference=reference.name)


def _rows(found: Evaluation, checkpoint: Checkpoint) -> Iterator[Row]:
    if checkpoint.pruning and checkpoint.start is not None:
        yield _pruned_row(found, checkpoint)
    if not checkpoint.quantized:
        phase = "fine-tuned" if checkpoint.masks else "float"
        logits = torch_logits(checkpoint.model, found.dataset.images, checkpoint.name)
        row = Row(phase, checkpoint.name, **_zeros(found.family, checkpoint, weights_of(checkpoint.model)))
        yield _scored(found, checkpoint, row, logits)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.qonnx.onnx"
        export(copy.deepcopy(checkpoint.model), path)
        graph = ModelWrapper(str(path))
    held = read_exported(graph, layers(checkpoint.model))
    zeros = _zeros(found.family, checkpoint, held.weights)
    logits = torch_logits(checkpoint.model, found.dataset.images, checkpoint.name)
    phase = f"{weight_bits(checkpoint.model)} bits"
    yield _scored(found, checkpoint, Row(phase, checkpoint.name, **zeros), logits)
    yield _exported_row(found, checkpoint, graph, held, zeros, logits)


def _scored(found: Evaluation, checkpoint: Checkpoint, row: Row, logits: np.ndarray) -> Row:
    score = found.scores[checkpoint.digest] = Score.of(logits, found.dataset.labels)
    return dataclasses.replace(row, score=score, **_sizes(checkpoint.model))


def _sizes(model: nn.Module) -> dict[str, int]:
    return {"parameters": count_parameters(model), "weight_bits": weight_bits(model), "bytes": packed_bytes(model)}


def _exported_row(
    found: Evaluation, checkpoint: Checkpoint, graph: ModelWrapper, held: Exported, zeros: dict, logits: np.ndarray
) -> Row:
    images = found.dataset.images
    with _bar(len(images), f"{checkpoint.name}, exported") as bar:
        exported = run_standard(graph, images, lambda done: bar.update(done - bar.n))
    differs = exported != logits
    note = f"every logit matches torch's, {differs.size:,} on {len(images):,} images"
    if differs.any():
        wrong = int(differs.any(axis=1).sum())
        note = f"{int(differs.sum()):,} of {differs.size:,} logits differ from torch's, on {wrong:,} images"
    return Row(
        "exported",
        checkpoint.name,
        Score.of(exported, found.dataset.labels),
        parameters=held.parameters,
        weight_bits=held.weight_bits,
        bytes=held.bytes,
        mismatched_logits=int(differs.sum()),
        **zeros | {"notes": (note,)},
    )


def _pruned_row(found: Evaluation, checkpoint: Checkpoint) -> Row:
    """The masks of ``checkpoint`` on the weights that its fine-tuning started from."""
    try:
        start = found.family.start_of(checkpoint)
        if not checkpoint.masks:
            raise StartError("it carries no masks")
        masks = load_masks(checkpoint.path, start.model)
    except StartError as error:
        return Row("pruned", checkpoint.name, notes=(f"not evaluated: {error}",))
    except CheckpointError:
        return Row("pruned", checkpoint.name, notes=(f"not evaluated: its masks do not fit its start {start.name}",))
    model = copy.deepcopy(start.model)
    apply_masks(model, masks)
    logits = torch_logits(model, found.dataset.images, f"{checkpoint.name}, before tuning")
    return Row(
        "pruned",
        checkpoint.name,
        Score.of(logits, found.dataset.labels),
        **_sizes(model),
        **_zeros(found.family, checkpoint, weights_of(model)),
    )


def _zeros(family: Family, checkpoint: Checkpoint, weights: Weights) -> dict:
    """Fields of a row about zeros: their share, and whether they are where pruning promised them."""
    promise = _promise(family, checkpoint)
    blocks = check_blocks(weights, checkpoint.masks, promise) if promise and promise.structure == "block" else None
    unmasked = unmasked_count(weights, checkpoint.masks)
    notes = []
    if blocks and blocks.broken:
        notes.append(f"{blocks.broken:,} of {blocks.count:,} blocks lack zeros, the first in {blocks.first}")
    if unmasked:
        notes.append(f"{unmasked:,} weights that its masks remove are not zero")
    if checkpoint.masks and promise is None:
        notes.append("blocks not checked: the recipe that pruned it cannot be found")
    return {"sparsity": zero_share(weights), "blocks": blocks, "unmasked": unmasked, "notes": tuple(notes)}


def _promise(family: Family, checkpoint: Checkpoint) -> Pruning | None:
    """The pruning of the last training in the line of ``checkpoint`` that pruned."""
    line = (checkpoint, *family.ancestors(checkpoint))
    return next((member.pruning for member in line if member.pruning), None)


@torch.inference_mode()
def torch_logits(model: nn.Module, images: np.ndarray, title: str) -> np.ndarray:
    """Logits (N, classes) of uint8 images (N, H, W, C), in float32."""
    parts = []
    with _bar(len(images), title) as bar:
        for part in torch.from_numpy(images).split(EVAL_BATCH):
            parts.append(model(part.float()).numpy())
            bar.update(len(part))
    return np.concatenate(parts)


def _bar(total: int, title: str) -> tqdm:
    return tqdm(total=total, desc=title, unit="image")


def _is_float(checkpoint: Checkpoint) -> bool:
    return not checkpoint.quantized and not checkpoint.masks


def _shape(checkpoint: Checkpoint) -> dict:
    fields = dataclasses.asdict(checkpoint.model.config)
    return {name: value for name, value in fields.items() if name not in NUMBER_FORMATS}
