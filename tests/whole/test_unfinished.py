"""Trainings that have not ended can be resumed as their README says."""

from __future__ import annotations

import math
import re
import subprocess
from pathlib import Path

import pytest
import torch

from brevitas_model.training.recipe import load_recipe
from brevitas_model.training.run import Run
from tests.support import ROOT

UNFINISHED = ROOT / "brevitas_model" / "unfinished"
STATES = sorted(UNFINISHED.glob("*.state.safetensors"))


def test_the_readme_copies_a_state_to_where_its_run_looks(tmp_path: Path):
    """The commands are carried out, except the training itself, which must be of the recipe that the state names."""
    *commands, training = re.search(r"```sh\n(.*)```", (UNFINISHED / "README.md").read_text(), re.S)[1].splitlines()
    (tmp_path / "brevitas_model").symlink_to(ROOT / "brevitas_model")
    for command in commands:
        subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    name = training.removeprefix("OMP_NUM_THREADS=1 python flows/train.py ")
    run = Run.resume(tmp_path / "runs" / name, load_recipe(Path(name)))
    assert 0 < run.epoch < run.recipe.schedule.epochs


@pytest.mark.parametrize("path", STATES, ids=lambda path: path.name)
def test_a_state_is_whole_and_small(path: Path, tmp_path: Path):
    assert path.stat().st_size < 5_000_000
    (tmp_path / "state.safetensors").symlink_to(path)
    run = Run.resume(tmp_path, load_recipe(Path(path.name.removesuffix(".state.safetensors"))))
    assert [line["epoch"] for line in run.history] == list(range(1, run.epoch + 1))
    assert all(math.isfinite(line["loss"]) for line in run.history)
    assert all(bool(tensor.isfinite().all()) for tensor in run.model.state_dict().values())
    averages = [state["exp_avg"] for state in run.optimizer.state.values()]
    assert len(averages) == len(list(run.model.parameters())) and any(bool(torch.any(a != 0)) for a in averages)
