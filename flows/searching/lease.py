"""One driver a study: a lock in the folder of its trials, and a sign of life in the study.

The lock goes with its process however that ends, so a search that was killed goes on at once. The sign of
life is for drivers elsewhere, which share the database and not the folder.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from pathlib import Path
from types import TracebackType

from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import SQLAlchemyError

from flows.searching.ledger import Ledger
from flows.searching.lock import lock_folder
from hls_projects.errors import InputError

DRIVER = "driver"
# Seconds between signs of life, and the age at which a driver elsewhere counts as dead.
INTERVAL, GRACE = 20.0, 90.0


class Lease:
    """Held while a search is driven.

    Raises:
        InputError: another driver is at work, or ``out`` holds the trials of another study.
    """

    def __init__(self, ledger: Ledger, out: Path) -> None:
        self.ledger, self.out = ledger, out
        self.place = f"{socket.gethostname()}:{out.resolve()}"
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._beat, daemon=True)
        self.held = contextlib.ExitStack()

    def __enter__(self) -> Lease:
        with contextlib.ExitStack() as stack:
            stack.enter_context(lock_folder(self.out, self.ledger.owner))
            self._claim()
            self.held = stack.pop_all()
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopped.set()
        self.thread.join()
        self._sign({})
        self.held.close()

    def _claim(self) -> None:
        other = self.ledger.study.user_attrs.get(DRIVER) or {}
        age = time.time() - other.get("seen", 0.0)
        if other and other["place"] != self.place and age < GRACE:
            raise InputError(
                f"this study is driven from {other['place']}, last sign of life {age:.0f} s ago; "
                f"wait for it, or until it has been silent for {GRACE:.0f} s"
            )
        self.ledger.study.set_user_attr(DRIVER, self._sign_of_life())

    def _sign_of_life(self) -> dict[str, object]:
        return {"place": self.place, "seen": time.time()}

    def _beat(self) -> None:
        while not self.stopped.wait(INTERVAL):
            self._sign(self._sign_of_life())

    def _sign(self, driver: dict[str, object]) -> None:
        """A sign that fails is none; what the search itself writes will say why."""
        with contextlib.suppress(StorageInternalError, SQLAlchemyError):
            self.ledger.study.set_user_attr(DRIVER, driver)
