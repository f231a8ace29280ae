"""The study: what was asked, what came of it, and what has to be run again.

Only the driver of a search writes here. One trial of the ledger is one Optuna trial, except that a trial
whose driver died is told to have failed and waits again under a new number, with its parameters, its
folder and so its finished epochs.
"""

from __future__ import annotations

import dataclasses
import json
import uuid
import warnings
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from brevitas_model.config import ConfigError, ViTConfig
from flows.searching.cost import OBJECTIVE, Price, cost
from flows.searching.sampler import PointSampler, point_of
from flows.searching.storage import open_storage
from hls_projects.errors import InputError
from hls_projects.names import is_file_name, shown

DIRECTIONS = ("maximize", "minimize")
ATTRIBUTE = "search"


class Ledger:
    """A study in a database.

    User attributes of the study: ``search``, what makes its accuracies comparable; ``id``. Of a trial:
    ``point``, the figures of its price, ``accuracies`` after each epoch in per
    cent, ``seconds`` of training, ``folder``, ``deaths`` of its workers, ``again_of`` (the trial it runs
    again) and the ``reason`` of a failure.

    Args:
        sampler, price: needed to ask.
    """

    def __init__(
        self, storage: RDBStorage, study: optuna.Study, sampler: PointSampler | None = None, price: Price = cost
    ) -> None:
        self.storage, self.study, self.sampler, self.price = storage, study, sampler, price
        self.study_id = storage.get_study_id_from_name(study.study_name)

    @classmethod
    def open(cls, url: str, name: str, identity: dict[str, Any], sampler: PointSampler, price: Price = cost) -> Ledger:
        """Make a study, or go on with it.

        Args:
            identity: what makes accuracies and prices comparable; ``objective`` is the price's figure that is
                minimized, by default that of a search without a board.
            price: of a model.

        Raises:
            InputError: an unusable database, or a study of another search.
        """
        storage = open_storage(url, make=True)
        study = optuna.create_study(
            storage=storage, study_name=name, directions=DIRECTIONS, sampler=sampler, load_if_exists=True
        )
        identity = json.loads(json.dumps(identity))
        known = study.user_attrs
        if ATTRIBUTE not in known:
            if known or study.get_trials(deepcopy=False) or len(study.directions) != len(DIRECTIONS):
                raise InputError(f"study {name!r} was not made by flows/search.py; choose another --study")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)
                study.set_metric_names(["validation_accuracy", identity.get("objective", OBJECTIVE)])
            study.set_user_attr(ATTRIBUTE, identity | {"id": uuid.uuid4().hex})
        elif difference := _difference(known[ATTRIBUTE], identity):
            raise InputError(
                f"study {name!r} is a search of another kind: {difference}; "
                "choose another --study, or give the options that it was started with"
            )
        return cls(storage, study, sampler, price)

    @classmethod
    def read(cls, url: str, name: str) -> Ledger:
        """A study that is there.

        Raises:
            InputError: no such database or study.
        """
        storage = open_storage(url, make=False)
        try:
            study = optuna.load_study(storage=storage, study_name=name)
        except KeyError as error:
            names = ", ".join(sorted(optuna.get_all_study_names(storage))) or "none"
            raise InputError(f"there is no study {name!r} in this database; there are: {names}") from error
        if ATTRIBUTE not in study.user_attrs:
            raise InputError(f"study {name!r} was not made by flows/search.py; choose another --study")
        return cls(storage, study)

    @property
    def owner(self) -> str:
        """This very study, also where another of its name is made later."""
        return f"study {self.study.study_name} ({self.study.user_attrs[ATTRIBUTE]['id'][:12]})"

    @property
    def objective(self) -> str:
        """The figure of a model that the study minimizes."""
        return self.study.user_attrs[ATTRIBUTE].get("objective", OBJECTIVE)

    def trials(self) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False)

    def counted(self) -> list[FrozenTrial]:
        """Trials that have ended, each once: one that was run again counts where it was."""
        return [trial for trial in self.trials() if trial.state.is_finished() and not lost(trial)]

    def rerun_lost(self) -> int:
        """Queue again what a dead driver left running; returns how many trials. Nobody else may drive."""
        trials = self.trials()
        queued = {trial.user_attrs.get("again_of") for trial in trials}
        left = [trial for trial in trials if trial.state == TrialState.RUNNING]
        for trial in left:
            # Queued first and told second, so that a trial is never in neither place.
            begun = self.complete_point(trial)
            if begun and trial.number not in queued:
                kept = {name: value for name, value in trial.user_attrs.items() if name != "again_of"}
                folder = folder_of(trial)
                again = {"again_of": trial.number, "folder": folder, "point": point_of(trial)}
                self.study.enqueue_trial(point_of(trial), user_attrs=kept | again)
            reason = "its driver died; the trial was run again" if begun else "its driver died before it began"
            self.note(trial.number, lost=True, reason=reason)
            self.study.tell(trial.number, state=TrialState.FAIL)
        return len(left)

    def complete_point(self, trial: FrozenTrial) -> bool:
        return set(point_of(trial)) == set(self.sampler.distributions)

    def ask(self, base: ViTConfig) -> FrozenTrial | None:
        """A trial to run, the waiting ones first; None where every point of the space was tried."""
        waiting = any(trial.state == TrialState.WAITING for trial in self.trials())
        if not waiting and not self.sampler.untried(self.study):
            return None
        number = self.study.ask(self.sampler.distributions).number
        trial = self.trial(number)
        folder = folder_of(trial)
        try:
            figures = self.price(dataclasses.replace(base, **trial.params))
        except ConfigError as error:  # queued by hand, as the sampler makes no such point, or not for the board
            self.fail(number, str(error))
            return self.ask(base)
        self.note(number, folder=folder, point=trial.params, **figures)
        return self.trial(number)

    def trial(self, number: int) -> FrozenTrial:
        return self.storage.get_trial(self.storage.get_trial_id_from_study_id_trial_number(self.study_id, number))

    def note(self, number: int, **attributes: Any) -> None:
        """Keep user attributes of a running trial."""
        trial_id = self.storage.get_trial_id_from_study_id_trial_number(self.study_id, number)
        for name, value in attributes.items():
            self.storage.set_trial_user_attr(trial_id, name, value)

    def complete(self, number: int) -> None:
        """Count a trial by its last accuracy and its cost."""
        facts = self.trial(number).user_attrs
        self.study.tell(number, [facts["accuracies"][-1], facts[self.objective]])

    def prune(self, number: int) -> None:
        self.study.tell(number, state=TrialState.PRUNED)

    def fail(self, number: int, reason: str) -> None:
        self.note(number, reason=reason)
        self.study.tell(number, state=TrialState.FAIL)

    def front(self) -> list[FrozenTrial]:
        """Trials that no other beats in both objectives, cheapest first."""
        return sorted(self.study.best_trials, key=lambda trial: trial.values[1])


def lost(trial: FrozenTrial) -> bool:
    """Whether the trial went down with its driver."""
    return bool(trial.user_attrs.get("lost"))


def folder_of(trial: FrozenTrial) -> str:
    """The name of a trial's folder: its number, or what the study says of a trial that runs again.

    Raises:
        InputError: the study says something that is no name.
    """
    name = trial.user_attrs.get("folder", f"{trial.number:04d}")
    if not is_file_name(name):
        raise InputError(f"trial {trial.number} of the study names the folder {shown(str(name))!r}; it is damaged")
    return name


def _difference(there: dict[str, Any], here: dict[str, Any], prefix: str = "") -> str:
    """The first key that differs, with both values; "" where none does."""
    for name in sorted(here):
        if isinstance(here[name], dict) and isinstance(there.get(name), dict):
            if inner := _difference(there[name], here[name], f"{prefix}{name}."):
                return inner
        elif here[name] != there.get(name):
            return f"{prefix}{name} is {json.dumps(there.get(name))} there and {json.dumps(here[name])} here"
    return ""
