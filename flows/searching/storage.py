"""The study's database: opened with patience, its failures in one line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import optuna
import sqlalchemy
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from hls_projects.errors import InputError

# Seconds that a write waits for whoever else writes to an SQLite file.
PATIENCE = 30

optuna.logging.set_verbosity(optuna.logging.WARNING)


def safe_url(url: str) -> str:
    """``url`` without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return url


@contextlib.contextmanager
def one_line_failures(url: str) -> Iterator[None]:
    """Turn what a database says into a :class:`~hls_projects.errors.InputError`."""
    try:
        yield
    except (StorageInternalError, SQLAlchemyError) as error:
        cause = error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error
        said = " ".join(str(getattr(cause, "orig", None) or cause).split())[:200]
        raise InputError(
            f"study database {safe_url(url)}: {said}; nothing is lost, "
            "give the same command again when it can be read and written"
        ) from error


def open_storage(url: str, *, make: bool) -> RDBStorage:
    """The database at ``url``; with ``make``, an SQLite file and its folder are made where there is none.

    Raises:
        InputError: a URL that nothing can open, a driver that is not installed, an unusable file.
    """
    try:
        parsed = make_url(url)
    except SQLAlchemyError as error:
        raise InputError(f"--storage {url!r} is no database URL; try sqlite:///runs/search/study.db") from error
    options = {}
    if parsed.get_backend_name() == "sqlite":
        file = Path(parsed.database or "")
        if not parsed.database or parsed.database == ":memory:":
            raise InputError("--storage must outlive the search; name a file: sqlite:///runs/search/study.db")
        if not make and not file.is_file():
            raise InputError(f"study database {file} does not exist; name another --storage or start a search")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"folder {file.parent} cannot be made: {error.strerror}; name another --storage"
            ) from error
        options = {"connect_args": {"timeout": PATIENCE}}
    try:
        return RDBStorage(url, engine_kwargs=options)
    except (ImportError, sqlalchemy.exc.NoSuchModuleError) as error:
        raise InputError(f"--storage {safe_url(url)} needs a database driver that is not installed: {error}") from error
    except RuntimeError as error:  # tables of another version of Optuna
        raise InputError(f"study database {safe_url(url)}: {' '.join(str(error).split())[:200]}") from error
