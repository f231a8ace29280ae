"""g++ on the programs of a generated project, and a cache of what it made."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hls_projects.files import cache_folder, write_whole
from hls_projects.simulation.processes import SimulationError, signals_held

CACHED_PROGRAMS = 64
# hls::stream_of_blocks, which Vitis HLS has of its own.
BLOCKS_HEADER = Path(__file__).parent / "block_types" / "hls_streamofblocks.h"


@dataclass(frozen=True)
class Program:
    """A C++ program made of a generated project.

    Args:
        name: of the executable in the project's folder.
        sources: relative to the project's folder, or absolute.
        flags: for g++; include paths relative to the project's folder, or absolute.
    """

    name: str
    sources: tuple[str, ...]
    flags: tuple[str, ...]

    def path(self, project: Path) -> Path:
        """The executable in the folder ``project``."""
        return project / self.name


def compiler() -> str:
    """Path of g++.

    Raises:
        SimulationError: there is none.
    """
    path = shutil.which("g++")
    if path is None:
        raise SimulationError("no g++ on the path; install one (Debian and Ubuntu: apt-get install g++)")
    return path


def cache_dir() -> Path:
    """The folder of the cached programs."""
    return cache_folder("programs")


def compile_programs(project: Path, programs: Iterable[Program]) -> None:
    """Compile ``programs`` of the HLS project in the folder ``project``, all at once.

    A program whose preprocessed source, flags and compiler were seen before comes from the cache.

    Raises:
        SimulationError: no g++, or what it says against a source.
    """
    gxx = compiler()
    missing = {}
    for program in programs:
        key = _key(gxx, project, program)
        if not _from_cache(key, program.path(project)):
            missing[program] = key
    _run_all([[gxx, *program.flags, *program.sources, "-o", program.name] for program in missing], project)
    for program, key in missing.items():
        _to_cache(key, program.path(project))


def _key(gxx: str, project: Path, program: Program) -> str:
    """Digest of all that decides what the compiler makes, ``-march=native`` spelt out."""
    digest = hashlib.sha256()
    for arguments in (["--version"], ["-Q", "--help=target"], ["-E", "-P", *program.sources]):
        command = [gxx, *program.flags, *arguments]
        run = subprocess.run(command, cwd=project, capture_output=True, check=False)
        if run.returncode:
            raise _refusal(run.stderr.decode(errors="replace"))
        digest.update(run.stdout)
    digest.update(repr([flag for flag in program.flags if not flag.startswith("-I")]).encode())
    return digest.hexdigest()


def _run_all(commands: Sequence[Sequence[str]], project: Path) -> None:
    running: list[subprocess.Popen] = []
    try:
        for command in commands:
            # A session of its own, so that its children and their temporary files go with it.
            with signals_held():
                running.append(
                    subprocess.Popen(command, cwd=project, stderr=subprocess.PIPE, text=True, start_new_session=True)
                )
        for process in running:
            _, said = process.communicate()
            if process.returncode:
                raise _refusal(said)
    finally:
        for process in running:
            _end(process)


def _end(process: subprocess.Popen) -> None:
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
    process.stderr.close()


def _refusal(said: str) -> SimulationError:
    return SimulationError(f"g++ refused a simulation: {said[:2000].strip()}")


def _from_cache(key: str, program: Path) -> bool:
    """Copy the cached executable to ``program``; False where there is none, or a damaged one."""
    kept = cache_dir() / key
    try:
        stored, digest = kept.read_bytes(), kept.with_suffix(".sha256").read_text()
    except OSError:
        return False
    if hashlib.sha256(stored).hexdigest() != digest:
        print(f"  the cached program {kept} is damaged; compiling again", file=sys.stderr)
        return False
    kept.touch()
    program.write_bytes(stored)
    program.chmod(0o755)
    return True


def _to_cache(key: str, program: Path) -> None:
    """Keep ``program``; a cache that cannot be written costs time, not the build."""
    folder = cache_dir()
    made = program.read_bytes()
    try:
        write_whole(folder / key, made)
        write_whole((folder / key).with_suffix(".sha256"), hashlib.sha256(made).hexdigest())
        _prune(folder)
    except OSError as error:
        print(f"  compiled programs cannot be kept in {folder}: {error.strerror}", file=sys.stderr)


def _prune(folder: Path) -> None:
    """Forget the programs that were not asked for longest."""
    programs = sorted((path for path in folder.iterdir() if not path.suffix), key=lambda path: path.stat().st_mtime)
    for path in programs[:-CACHED_PROGRAMS]:
        with contextlib.suppress(FileNotFoundError):
            path.with_suffix(".sha256").unlink()
            path.unlink()
