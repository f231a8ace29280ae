"""g++ on small projects, and the cache of what it made; a script in front of g++ counts what it is asked."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from hls_projects.errors import InputError
from hls_projects.simulation import Program, compile_programs, compiler
from hls_projects.simulation.compiler import CACHED_PROGRAMS, cache_dir

PROGRAM = Program("answer", ("answer.cpp",), ("-O0", "-Iheaders", '-DWEIGHTS="weights.txt"'))
SOURCE = """
#include <fstream>
#include <iostream>
#include "bias.h"
int main() {
    int weight = 0;
    std::ifstream(WEIGHTS) >> weight;
    std::cout << weight + BIAS;
}
"""


class Gxx:
    """A script called g++ that notes its arguments and calls the real one."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log, self.path = folder, folder / "log", folder / "g++"
        self.log.touch()
        self.write(shutil.which("g++"))

    def write(self, real: str, version: str = "") -> None:
        notice = f'[ "$last" = --version ] && {{ echo {version}; exit; }}\n' if version else ""
        self.path.write_text(f'#!/bin/sh\necho "$*" >> {self.log}\nfor last; do :; done\n{notice}exec {real} "$@"\n')
        self.path.chmod(0o755)

    def compiled(self) -> int:
        """How many programs it made until now."""
        return sum(" -o " in line for line in self.log.read_text().splitlines())


@pytest.fixture
def gxx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gxx:
    (tmp_path / "bin").mkdir()
    made = Gxx(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{made.folder}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return made


def make_project(folder: Path) -> Path:
    (folder / "headers").mkdir(parents=True)
    (folder / "answer.cpp").write_text(SOURCE)
    (folder / "headers" / "bias.h").write_text("#define BIAS 2\n")
    (folder / "weights.txt").write_text("40")
    return folder


@pytest.fixture
def project(tmp_path: Path, gxx: Gxx) -> Path:
    return make_project(tmp_path / "project")


def answer(project: Path, program: Program = PROGRAM) -> str:
    compile_programs(project, [program])
    return subprocess.run([program.path(project)], cwd=project, capture_output=True, text=True, check=True).stdout


def entries() -> list[Path]:
    return sorted(path for path in cache_dir().iterdir() if not path.suffix)


def test_second_time_comes_from_the_cache(project, gxx, tmp_path):
    assert (answer(project), gxx.compiled()) == ("42", 1)
    (project / "answer").unlink()
    assert (answer(project), gxx.compiled()) == ("42", 1)
    assert (answer(make_project(tmp_path / "elsewhere")), gxx.compiled()) == ("42", 1)


def test_weights_are_read_when_it_runs(project, gxx):
    answer(project)
    (project / "weights.txt").write_text("-3")
    assert (answer(project), gxx.compiled()) == ("-1", 1)


def test_comments_do_not_count(project, gxx):
    answer(project)
    (project / "headers" / "bias.h").write_text("// explained\n#define BIAS 2\n")
    assert (answer(project), gxx.compiled()) == ("42", 1)


def test_changed_header_misses(project, gxx):
    answer(project)
    (project / "headers" / "bias.h").write_text("#define BIAS 3\n")
    assert (answer(project), gxx.compiled()) == ("43", 2)


@pytest.mark.parametrize("flag", ["-O1", "-DNDEBUG", "-march=native", "-fsanitize=undefined"])
def test_changed_flag_misses(project, gxx, flag):
    answer(project)
    answer(project, Program(PROGRAM.name, PROGRAM.sources, (*PROGRAM.flags, flag)))
    assert gxx.compiled() == 2


def test_other_compiler_version_misses(project, gxx):
    answer(project)
    gxx.write(shutil.which("g++", path=os.environ["PATH"].split(":", 1)[1]), version="g++ 99")
    assert (answer(project), gxx.compiled()) == ("42", 2)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [truncate, flip, lambda path: path.write_bytes(b"")])
def test_damaged_program_is_compiled_again(project, gxx, capfd, damage):
    answer(project)
    damage(entries()[0])
    (project / "answer").unlink()
    capfd.readouterr()
    assert (answer(project), gxx.compiled()) == ("42", 2)
    assert "is damaged; compiling again" in capfd.readouterr().err
    assert (answer(project), gxx.compiled()) == ("42", 2)


@pytest.mark.parametrize("part", ["program", "digest"])
def test_half_an_entry_is_none(project, gxx, part):
    answer(project)
    cached = entries()[0]
    (cached if part == "program" else cached.with_suffix(".sha256")).unlink()
    assert (answer(project), gxx.compiled()) == ("42", 2)


def test_cache_that_cannot_be_written_costs_time(project, gxx, tmp_path, capfd):
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert [answer(project), answer(project)] == ["42", "42"]
    assert gxx.compiled() == 2 and "compiled programs cannot be cached in" in capfd.readouterr().err


def test_two_processes_at_once(project, tmp_path, gxx):
    """Each ends with a program that works, and the cache holds one good entry."""
    projects = [make_project(tmp_path / f"project{index}") for index in range(4)]
    children = []
    for folder in projects:
        child = os.fork()
        if child == 0:
            try:
                os._exit(int(answer(folder) != "42"))
            finally:
                os._exit(2)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0, 0, 0]
    compiled = gxx.compiled()
    assert answer(project) == "42" and gxx.compiled() == compiled
    assert len(list(cache_dir().iterdir())) == 2


def test_pruning_keeps_what_was_asked_for_last(project, gxx):
    answer(project)
    first = entries()[0]
    for age in range(CACHED_PROGRAMS + 5):
        path = cache_dir() / f"{age:064x}"
        path.write_bytes(b"old")
        path.with_suffix(".sha256").write_text("old")
        os.utime(path, (age, age))
    os.utime(first, (0, 0))
    answer(project)
    (project / "headers" / "bias.h").write_text("#define BIAS 5\n")
    answer(project)
    cached = entries()
    assert len(cached) == CACHED_PROGRAMS and first in cached
    assert {path.name for path in cached if path.read_bytes() == b"old"} == {
        f"{age:064x}" for age in range(7, CACHED_PROGRAMS + 5)
    }
    assert sorted(path.stem for path in cache_dir().glob("*.sha256")) == [path.name for path in cached]


def test_several_programs_at_once(project, gxx):
    second = Program("second", PROGRAM.sources, (*PROGRAM.flags, "-DNDEBUG"))
    compile_programs(project, [PROGRAM, second])
    assert gxx.compiled() == 2 and PROGRAM.path(project).exists() and second.path(project).exists()
    compile_programs(project, [PROGRAM, second])
    assert gxx.compiled() == 2


def test_no_compiler(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match=r"^no g\+\+ on the path; install one [^\n]*$"):
        compiler()


@pytest.mark.parametrize(
    "source, word",
    [
        ("int main() { return nothing; }", "nothing"),
        ('#include "missing.h"\nint main() {}', "missing.h"),
        ("int other();\nint main() { return other(); }", "other"),
    ],
)
def test_compiler_refuses(project, source, word):
    (project / "answer.cpp").write_text(source)
    with pytest.raises(InputError, match=rf"(?s)^g\+\+ cannot compile a simulation: .*{word}"):
        compile_programs(project, [PROGRAM])
    assert not PROGRAM.path(project).exists() and not cache_dir().exists()


def test_interrupt_ends_the_compiler_and_its_children(project, gxx):
    child = project / "child"
    gxx.path.write_text(f'#!/bin/sh\ncase "$*" in *" -o "*) sleep 60 & echo $! > {child}; wait;; esac\n')

    def interrupt() -> None:
        while not child.exists() or not child.read_text().strip():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        compile_programs(project, [PROGRAM, Program("second", PROGRAM.sources, PROGRAM.flags)])
    thread.join()
    assert not alive(int(child.read_text()))


def alive(process: int) -> bool:
    """Whether a process still runs, half a second after its end was asked for at the latest."""
    for _ in range(25):
        try:
            state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return False
        if state == "Z":
            return False
        time.sleep(0.02)
    os.kill(process, signal.SIGKILL)
    return True
