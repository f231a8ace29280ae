"""Jobs over the machines of a Ray cluster, an epoch a task.

A task takes the state after the last epoch and gives back that after the next one, and the driver keeps it
in the job's folder. Workers share no folder and never see the database; a worker or machine that dies
costs the epoch that it was at, and the driver decides between two epochs whether a trial goes on.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from brevitas_model.training.curves import write_history
from brevitas_model.training.data import Dataset
from brevitas_model.training.recipe import Recipe
from brevitas_model.training.run import Run
from flows.searching.jobs import STATE, History, Job, Outcome
from hls_projects.errors import InputError, kind_and_message
from hls_projects.files import write_whole

# Workers that a job may lose before it counts as failed.
MOST_DEATHS = 3
POLL_SECONDS = 1.0


def train_epoch(recipe: Recipe, state: bytes | None, dataset: Dataset, validation: Dataset) -> tuple[bytes, History]:
    """One more epoch of ``recipe`` on one thread; the state after it, and the history."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="potstream-trial-") as name:
        folder = Path(name)
        if state is None:
            run = Run.start(folder, recipe, dataset)
        else:
            (folder / STATE).write_bytes(state)
            run = Run.resume(folder, recipe)
        run.train(dataset, validation, lambda line: True)
        return (folder / STATE).read_bytes(), run.history


@dataclass
class Flight:
    """A job under way: the state it had when its epoch was sent off, and the workers it lost."""

    job: Job
    state: bytes | None
    history: History
    deaths: int = 0


class RayPool:
    """Runs as many jobs at a time as the cluster has processor cores.

    Args:
        address: of a running cluster; "" takes the one of this machine, or starts one.

    Raises:
        InputError: no Ray, or no cluster at ``address``.
    """

    def __init__(self, address: str, dataset: Dataset, validation: Dataset) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError as error:
            raise InputError("--ray needs the package ray; pip install 'potstream[ray]'") from error
        self.ray = ray
        try:
            ray.init(address or None, log_to_driver=False, configure_logging=False)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            raise InputError(f"no Ray cluster at {address or 'this machine'}: {kind_and_message(error)}") from error
        # Ray itself must not try again: a death has to be counted.
        self.task = ray.remote(num_cpus=1, max_retries=0, scheduling_strategy="SPREAD")(train_epoch)
        self.splits = ray.put(dataset), ray.put(validation)

    def close(self) -> None:
        self.ray.shutdown()

    def cores(self) -> int:
        """Cores of the machines that are alive, at least one."""
        alive = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        return max(1, int(sum(resources.get("CPU", 0) for resources in alive)))

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        waiting, flights = iter(jobs), {}
        more = True
        while more or flights:
            while more and len(flights) < self.cores():
                job = next(waiting, None)
                if job is None:
                    more = False
                elif outcome := self.board(job, flights):
                    yield outcome
            done, _ = self.ray.wait(list(flights), timeout=POLL_SECONDS) if flights else ([], [])
            for ref in done:
                if outcome := self.land(ref, flights.pop(ref), flights):
                    yield outcome

    def board(self, job: Job, flights: dict[Any, Flight]) -> Outcome | None:
        """Send off the first epoch that the job's folder lacks."""
        path, state, history = job.folder / STATE, None, []
        if path.exists():
            history = Run.resume(job.folder, job.recipe).history  # refuses another recipe's
            state = path.read_bytes()
        return self.advance(Flight(job, state, history), flights)

    def advance(self, flight: Flight, flights: dict[Any, Flight]) -> Outcome | None:
        """Report what there is, then end the job or send off its next epoch."""
        job, history = flight.job, flight.history
        if history and job.report(history):
            return Outcome(job, history, stopped=True)
        if len(history) >= job.recipe.schedule.epochs:
            return Outcome(job, history)
        self.send(flight, flights)
        return None

    def send(self, flight: Flight, flights: dict[Any, Flight]) -> None:
        flights[self.task.remote(flight.job.recipe, flight.state, *self.splits)] = flight

    def land(self, ref: Any, flight: Flight, flights: dict[Any, Flight]) -> Outcome | None:
        """Take in an epoch, or send it off again where its worker died."""
        try:
            state, history = self.ray.get(ref)
        except self.ray.exceptions.RayError as error:
            return self.lose(flight, getattr(error, "cause", None) or error, flights)
        write_whole(flight.job.folder / STATE, state)
        write_history(flight.job.folder, history)
        flight.state, flight.history = state, history
        return self.advance(flight, flights)

    def lose(self, flight: Flight, error: BaseException, flights: dict[Any, Flight]) -> Outcome | None:
        flight.deaths += 1
        reason = kind_and_message(error)
        flight.job.died(reason)
        if flight.deaths >= MOST_DEATHS:
            return Outcome(flight.job, flight.history, reason=f"lost {flight.deaths} workers, the last by {reason}")
        self.send(flight, flights)
        return None


@contextlib.contextmanager
def ray_pool(address: str, dataset: Dataset, validation: Dataset) -> Iterator[RayPool]:
    """A pool whose connection ends with the block."""
    pool = RayPool(address, dataset, validation)
    try:
        yield pool
    finally:
        pool.close()
