"""Compilation of a generated project's programs by g++, and a cache of the executables."""

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

from hls_projects.errors import InputError
from hls_projects.files import cache_folder, write_whole
from hls_projects.signals import signals_held

CACHED_PROGRAMS = 64
# Stand-ins for headers that Vitis HLS brings along: hls::stream_of_blocks, and ap_axiu, a beat of AXI4-Stream.
BLOCKS_HEADER = Path(__file__).parent / "block_types" / "hls_streamofblocks.h"
AXI_HEADER = Path(__file__).parent / "axi_types" / "ap_axi_sdata.h"


@dataclass(frozen=True)
class Program:
    """A C++ program made of a generated project.

    Args:
        name: file name of the executable, in the project's folder.
        sources: files, relative to the project's folder, or absolute.
        flags: of g++; include paths relative to the project's folder, or absolute.
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
        InputError: none is installed.
    """
    path = shutil.which("g++")
    if path is None:
        raise InputError("no g++ on the path; install one (Debian and Ubuntu: apt-get install g++)")
    return path


def cache_dir() -> Path:
    """The folder of the cached programs."""
    return cache_folder("programs")


def compile_programs(project: Path, programs: Iterable[Program]) -> None:
    """Compile ``programs`` of the HLS project in the folder ``project``, in parallel.

    A program that was compiled before from the same preprocessed source, flags and compiler comes from the cache.

    Raises:
        InputError: no g++, or an error of its.
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
    """Digest of everything that decides the executable; for ``-march=native`` that includes the processor."""
    digest = hashlib.sha256()
    for arguments in (["--version"], ["-Q", "--help=target"], ["-E", "-P", *program.sources]):
        command = [gxx, *program.flags, *arguments]
        run = subprocess.run(command, cwd=project, capture_output=True, check=False)
        if run.returncode:
            raise _compile_error(run.stderr.decode(errors="replace"))
        digest.update(run.stdout)
    digest.update(repr([flag for flag in program.flags if not flag.startswith("-I")]).encode())
    return digest.hexdigest()


def _run_all(commands: Sequence[Sequence[str]], project: Path) -> None:
    """Run all ``commands`` at once; one that fails, or an interruption, ends the others."""
    running: list[subprocess.Popen] = []
    try:
        for command in commands:
            # A session of its own, so that ending it also ends its children, which delete their temporary files.
            with signals_held():
                running.append(
                    subprocess.Popen(command, cwd=project, stderr=subprocess.PIPE, text=True, start_new_session=True)
                )
        for process in running:
            _, errors = process.communicate()
            if process.returncode:
                raise _compile_error(errors)
    finally:
        for process in running:
            _end(process)


def _end(process: subprocess.Popen) -> None:
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
    process.stderr.close()


def _compile_error(errors: str) -> InputError:
    return InputError(f"g++ cannot compile a simulation: {errors[:2000].strip()}")


def _from_cache(key: str, program: Path) -> bool:
    """Copy the cached executable to ``program``; False where there is none, or a damaged one."""
    cached = cache_dir() / key
    try:
        content, digest = cached.read_bytes(), cached.with_suffix(".sha256").read_text()
    except OSError:
        return False
    if hashlib.sha256(content).hexdigest() != digest:
        print(f"  the cached program {cached} is damaged; compiling again", file=sys.stderr)
        return False
    # The time of the last use, by which old programs are deleted.
    cached.touch()
    program.write_bytes(content)
    program.chmod(0o755)
    return True


def _to_cache(key: str, program: Path) -> None:
    """Store ``program``; a cache that cannot be written is reported, and costs no more than time."""
    folder = cache_dir()
    content = program.read_bytes()
    try:
        write_whole(folder / key, content)
        write_whole((folder / key).with_suffix(".sha256"), hashlib.sha256(content).hexdigest())
        _prune(folder)
    except OSError as error:
        print(f"  compiled programs cannot be cached in {folder}: {error.strerror}", file=sys.stderr)


def _prune(folder: Path) -> None:
    """Delete all but the :data:`CACHED_PROGRAMS` programs that were used last."""
    programs = sorted((path for path in folder.iterdir() if not path.suffix), key=lambda path: path.stat().st_mtime)
    for path in programs[:-CACHED_PROGRAMS]:
        with contextlib.suppress(FileNotFoundError):
            path.with_suffix(".sha256").unlink()
            path.unlink()
