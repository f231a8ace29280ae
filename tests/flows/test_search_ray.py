"""A search over a Ray cluster of two nodes on this machine, one of them killed in the middle."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from brevitas_model.training import data
from brevitas_model.training.data import Dataset
from flows import search
from flows.searching import starting
from tests.support import ROOT
from tests.support.models import noise

pytestmark = pytest.mark.ray

VALIDATION = 200
IMAGES = Dataset(noise(1_024 + VALIDATION), np.arange(1_024 + VALIDATION) % 10)
TRIALS, EPOCHS = 6, 3
SPACE = """
embed_dim = [32, 48]
depth = [2, 3]
num_heads = [2, 4]
mlp_ratio = [2]
patch_size = [8]
global_pool = ["mean"]
weight_format = ["float"]
"""


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """A head without cores for trials, and room for nodes."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    # Workers import the tests' folder nowhere: all that they get is in the package.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    cluster_utils = pytest.importorskip("ray.cluster_utils")
    made = cluster_utils.Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, "object_store_memory": 10**8}
    )
    yield made
    made.shutdown()


def node(cluster: object) -> object:
    return cluster.add_node(num_cpus=1, object_store_memory=10**8)


class Killer(threading.Thread):
    """Kills a node once a trial has finished an epoch and every node is at work."""

    def __init__(self, cluster: object, storage: str) -> None:
        super().__init__(daemon=True)
        self.cluster, self.storage, self.victim = cluster, storage, node(cluster)
        self.killed = False

    def run(self) -> None:
        import ray

        while not self.trials() or ray.available_resources().get("CPU", 0):
            time.sleep(0.2)
        self.cluster.remove_node(self.victim, allow_graceful=False)
        self.killed = True

    def trials(self) -> list[optuna.trial.FrozenTrial]:
        """Those that have finished an epoch."""
        try:
            study = optuna.load_study(study_name="search", storage=self.storage)
        except KeyError:
            return []
        return [trial for trial in study.get_trials() if trial.user_attrs.get("accuracies")]


def test_a_node_that_is_killed_loses_no_trial(cluster: object, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr(data, "VALIDATION_IMAGES", VALIDATION)
    monkeypatch.setattr(starting, "load_cifar10", lambda folder, *, train: IMAGES)
    (tmp_path / "space.toml").write_text(SPACE)
    out = tmp_path / "out"
    storage = f"sqlite:///{out / 'study.db'}"
    out.mkdir()
    optuna.storages.RDBStorage(storage)  # so that the killer finds tables
    node(cluster)
    killer = Killer(cluster, storage)
    killer.start()
    argv = ["--space", str(tmp_path / "space.toml"), "--out", str(out), "--trials", str(TRIALS)]
    argv += ["--epochs", str(EPOCHS), "--keep", "100", "--ray", cluster.address]
    assert search.main(argv) == 0
    killer.join(60)
    said = capsys.readouterr()
    assert killer.killed and f"{TRIALS} trials complete, 0 stopped early, 0 failed" in said.out
    trials = optuna.load_study(study_name="search", storage=storage).get_trials()
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * TRIALS  # every one, each once
    assert len({tuple(sorted(trial.params.items())) for trial in trials}) == TRIALS
    assert all(len(trial.user_attrs["accuracies"]) == EPOCHS for trial in trials)
    hit = [trial for trial in trials if trial.user_attrs.get("deaths")]
    assert hit, "no trial was at work on the node that was killed"
    for trial in hit:
        print(f"trial {trial.number} was run again: {trial.user_attrs['deaths']}")
