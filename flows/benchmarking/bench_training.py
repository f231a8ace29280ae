"""What a step of training costs with each kind of quantizer, measured in turns."""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from brevitas_model.config import ConfigError
from brevitas_model.fused import FusedActivation, FusedPotConv, FusedPotLinear, FusedSignificantBits
from brevitas_model.models import build_model
from brevitas_model.quantizers import CALIBRATION_STEPS
from brevitas_model.training.recipe import Schedule, load_recipe
from brevitas_model.training.run import calibrate, make_optimizer
from flows.command_line import Status
from flows.reporting.formatting import fixed
from flows.reporting.text_table import text_table
from hls_projects.files import write_whole

WARM_UP = 2


@dataclasses.dataclass
class Step:
    """One kind of step: its model and the milliseconds that it took."""

    title: str
    model: nn.Module
    compiled: bool
    milliseconds: list[float] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        self.forward: Callable[[torch.Tensor], torch.Tensor] = (
            torch.compile(self.model) if self.compiled else self.model
        )
        self.optimizer = make_optimizer(self.model, Schedule(epochs=1, learning_rate=1.0, weight_decay=0.0))

    def take(self, pixels: torch.Tensor, labels: torch.Tensor) -> None:
        started = time.perf_counter()
        loss = F.cross_entropy(self.forward(pixels), labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.milliseconds.append(1e3 * (time.perf_counter() - started))


def without_short_way(model: nn.Module) -> nn.Module:
    """The same layers as Brevitas computes them."""
    for module in model.modules():
        if isinstance(module, FusedActivation):
            module.grid = None
        elif isinstance(module, (FusedSignificantBits, FusedPotLinear, FusedPotConv)):
            module.format = None
    return model


def make_steps(recipe_name: Path, overrides: list[str], pixels: torch.Tensor, compiled: bool) -> list[Step]:
    config = load_recipe(recipe_name, overrides).model
    if not config.quantized:
        raise ConfigError(f"recipe {recipe_name} is of a float model; name one that is quantized")
    torch.manual_seed(0)
    fused, plain = build_model(config), build_model(config)
    calibrate(fused, [pixels] * CALIBRATION_STEPS)
    plain.load_state_dict(fused.state_dict())
    calibrate(plain, [pixels])
    plain.load_state_dict(fused.state_dict())
    real = build_model(dataclasses.replace(config, weight_format="float"))
    kind = config.weight_format
    steps = [
        Step("float", real.train(), False),
        Step(f"{kind}, fused quantizers", fused.train(), False),
        Step(f"{kind}, Brevitas as it comes", without_short_way(plain).train(), False),
    ]
    if compiled:
        steps += [Step("float, compiled", real, True), Step(f"{kind}, fused quantizers, compiled", fused, True)]
    return steps


def same_logits(steps: list[Step], pixels: torch.Tensor) -> bool:
    """Whether fused and plain quantizers agree in training mode."""
    with torch.no_grad():
        return torch.equal(steps[1].model(pixels), steps[2].model(pixels))


def ratios(steps: list[Step]) -> list[float]:
    """Median of each step over the median of the float step that is run in the same way."""
    medians = [statistics.median(step.milliseconds) for step in steps]
    floats = {step.compiled: median for step, median in zip(steps, medians, strict=True) if "float" in step.title}
    return [median / floats[step.compiled] for step, median in zip(steps, medians, strict=True)]


def report(steps: list[Step]) -> list[dict[str, Any]]:
    facts, rows = [], []
    for step, ratio in zip(steps, ratios(steps), strict=True):
        taken = step.milliseconds
        figures = min(taken), statistics.median(taken), max(taken)
        rows.append((step.title, *(fixed(figure, 1) for figure in figures), fixed(ratio, 2)))
        facts.append({"title": step.title, "milliseconds": taken, "ratio": ratio})
    print(text_table(("step", "min, ms", "median, ms", "max, ms", "ratio"), rows))
    return facts


def bench_training(args: argparse.Namespace) -> Status:
    """Check that the quantizers agree, time the steps, and print and write the figures."""
    torch.manual_seed(0)
    pixels = torch.randint(0, 256, (args.batch_size, 32, 32, 3)).float()
    labels = torch.randint(0, 10, (args.batch_size,))
    steps = make_steps(args.recipe, args.set, pixels, args.compiled)
    if not same_logits(steps, pixels):
        print("bench_training: fused and plain quantizers give different logits", file=sys.stderr)
        return Status.DIFFERS
    for step in steps:
        for _ in range(WARM_UP):
            step.take(pixels, labels)
        step.milliseconds.clear()
    for _ in range(args.rounds):
        for step in steps:
            step.take(pixels, labels)
    print(f"batch {args.batch_size}, {args.rounds} rounds, {torch.get_num_threads()} threads")
    facts = report(steps)
    if args.json:
        write_whole(args.json, json.dumps({"batch_size": args.batch_size, "steps": facts}, indent=2) + "\n")
    return Status.OK
