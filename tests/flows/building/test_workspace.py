"""The output folder is the earlier one or the new one, and nothing stays beside it."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flows.building import workspace as module
from flows.building.workspace import MARKER, read_marker, workspace
from hls_projects import files
from hls_projects.errors import InputError
from hls_projects.signals import STOPPING
from tests.support.models import listing, snapshot


def make_build(out: Path, content: str = "old") -> Path:
    out.mkdir(parents=True)
    (out / MARKER).write_text('{"seconds": {}}')
    (out / "data").write_text(content)
    return out


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "outputs" / "out"


def test_new_output_appears_whole(out: Path):
    with workspace(out, keep=False) as folder:
        (folder / "data").write_text("new")
        assert not out.exists() and folder.parent == out.parent
    assert snapshot(out.parent).keys() == {"out", "out/data"}


@pytest.mark.parametrize("keep, left", [(False, {"fresh"}), (True, {"fresh", "data", MARKER})])
def test_earlier_output_is_replaced_or_taken_up(out: Path, keep: bool, left: set[str]):
    make_build(out)
    with workspace(out, keep=keep) as folder:
        (folder / "fresh").touch()
    assert set(listing(out)) == left and listing(out.parent) == ["out"]


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_failure_leaves_the_earlier_output(out: Path, keep: bool, error: type[BaseException]):
    make_build(out)
    before = snapshot(out.parent)
    with pytest.raises(error), workspace(out, keep=keep) as folder:
        (folder / "data").write_text("new")
        raise error
    assert snapshot(out.parent) == before


@pytest.mark.parametrize("name", ["thesis.txt", MARKER])
def test_foreign_folder_is_refused(out: Path, name: str):
    out.mkdir(parents=True)
    (out / name).write_text('{"theirs": true}')
    before = snapshot(out.parent)
    with pytest.raises(InputError, match="no build wrote it; choose another --out"), workspace(out, keep=False):
        pytest.fail("entered")
    assert snapshot(out.parent) == before


def test_regular_file_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError), workspace(out, keep=False):
            pytest.fail("entered")
    assert snapshot(tmp_path).keys() == {"file"} and (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(os.getuid() == 0, reason="root writes everywhere")
def test_read_only_parent_is_refused(tmp_path: Path):
    tmp_path.chmod(0o555)
    with pytest.raises(InputError, match="cannot write beside"), workspace(tmp_path / "out", keep=False):
        pytest.fail("entered")


def test_error_of_the_system_is_told(out: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(**_: object) -> str:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(module.tempfile, "mkdtemp", fail)
    with pytest.raises(InputError, match=r"cannot write beside .*Permission denied"), workspace(out, keep=False):
        pytest.fail("entered")
    assert listing(out.parent) == []


@pytest.mark.parametrize("exists", [False, True])
def test_going_on_needs_an_earlier_build(out: Path, exists: bool):
    if exists:
        out.mkdir(parents=True)
    with pytest.raises(InputError, match="no earlier build to go on from"), workspace(out, keep=True):
        pytest.fail("entered")


def test_two_builds_into_one_folder(out: Path):
    make_build(out)
    with workspace(out, keep=False) as folder:
        with pytest.raises(InputError, match="another build writes to"), workspace(out, keep=False):
            pytest.fail("entered")
        with workspace(out.with_name("other"), keep=False) as other:
            (other / "data").touch()
        (folder / "data").write_text("first")
    assert (out / "data").read_text() == "first" and listing(out.parent) == ["other", "out"]


def test_stale_lock_file_does_not_block(out: Path):
    out.parent.mkdir()
    out.with_name(".out.lock").touch()
    with workspace(out, keep=False) as folder:
        (folder / "data").touch()
    assert listing(out.parent) == ["out"]


@pytest.fixture
def two_renames(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a system that cannot exchange two folders."""
    monkeypatch.setattr(files, "_exchange", lambda one, other: False)


@pytest.mark.usefixtures("two_renames")
def test_failed_rename_brings_the_earlier_output_back(out: Path, monkeypatch: pytest.MonkeyPatch):
    make_build(out)
    before, rename = snapshot(out.parent), Path.rename

    def fail_once(self: Path, target: Path) -> Path:
        if target == out and not self.name.endswith(".old"):
            raise OSError(errno.EIO, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_once)
    with pytest.raises(OSError, match="Input/output"), workspace(out, keep=False) as folder:
        (folder / "data").write_text("new")
    assert snapshot(out.parent) == before


@pytest.mark.usefixtures("two_renames")
@pytest.mark.parametrize("number", STOPPING)
def test_interrupt_between_the_renames_comes_too_late(out: Path, monkeypatch: pytest.MonkeyPatch, number: int):
    make_build(out)
    handler, rename = signal.getsignal(number), Path.rename

    def interrupt(self: Path, target: Path) -> Path:
        result = rename(self, target)
        os.kill(os.getpid(), number)
        return result

    monkeypatch.setattr(Path, "rename", interrupt)
    with workspace(out, keep=False) as folder:
        (folder / "data").write_text("new")
    assert (out / "data").read_text() == "new" and listing(out.parent) == ["out"]
    assert signal.getsignal(number) is handler


# A build in a process of its own that is killed at the first call of a function.
KILLED = """\
import os, signal, sys
from pathlib import Path
from flows.building.workspace import workspace
from hls_projects import files

def kill(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)

when = sys.argv[2]
if when != "exchange":
    files._exchange = lambda one, other: False
    rename, calls = Path.rename, []
    def count(self, target):
        calls.append(target)
        kill() if len(calls) == int(when) else rename(self, target)
    Path.rename = count
files.shutil.rmtree = kill
with workspace(Path(sys.argv[1]), keep=False) as folder:
    (folder / "build.json").write_text('{"seconds": {}}')
    (folder / "data").write_text("new")
"""


@pytest.mark.parametrize(
    ("when", "then"),
    [("1", "old"), ("2", "old"), ("3", "new"), ("exchange", "new")],
    ids=["before the first rename", "between the renames", "after the second rename", "after the exchange"],
)
def test_a_killed_build_loses_nothing(out: Path, when: str, then: str):
    """The next start finds one of the two outputs, whole, and tidies up what the dead one left."""
    make_build(out)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(out), when], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert ".out.lock" in listing(out.parent)
    assert out.exists() == (when != "2")
    with workspace(out, keep=True) as folder:
        assert set(listing(out.parent)) == {".out.lock", folder.name, "out"} and (out / "data").read_text() == then
    assert listing(out.parent) == ["out"] and (out / "data").read_text() == then


def test_folders_of_others_stay(out: Path):
    """Only what a build for this very output leaves is removed."""
    names = [".out.x.abcdefgh.work", ".out.work", ".out.abcdefgh.old.work", ".out.ABCDEFGH.work", "out.abcdefgh.old"]
    for name in names:
        out.with_name(name).mkdir(parents=True)
    out.with_name(".out.linklink.work").symlink_to(names[0])
    with workspace(out, keep=False):
        pass
    assert set(listing(out.parent)) == {*names, "out", ".out.linklink.work"}


def test_a_lock_that_is_a_link_stays_what_it_is(out: Path):
    out.parent.mkdir()
    (out.parent / "theirs").write_text("content")
    out.with_name(".out.lock").symlink_to("theirs")
    with pytest.raises(InputError, match="not a regular file"), workspace(out, keep=False):
        pytest.fail("entered")
    assert (out.parent / "theirs").read_text() == "content"


def test_a_loop_of_links(tmp_path: Path):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(InputError, match="choose another --out"), workspace(tmp_path / "loop", keep=False):
        pytest.fail("entered")


def test_link_to_the_output_stays_a_link(out: Path, tmp_path: Path):
    link = tmp_path / "link"
    make_build(out)
    link.symlink_to(out)
    with workspace(link, keep=False) as folder:
        (folder / "data").write_text("new")
    assert link.is_symlink() and (out / "data").read_text() == "new"
    assert listing(out.parent) == ["out"] and listing(tmp_path) == ["link", "outputs"]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"seconds": 3}'])
def test_marker_must_be_a_builds(out: Path, text: str):
    make_build(out)
    assert read_marker(out) == {"seconds": {}}
    (out / MARKER).write_text(text)
    assert read_marker(out) is None
    shutil.rmtree(out)
    assert read_marker(out) is None
