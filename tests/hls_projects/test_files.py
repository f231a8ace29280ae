"""Files are whole or as they were, links and devices stay what they are, and a folder has one writer."""

from __future__ import annotations

import errno
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hls_projects import files
from hls_projects.errors import InputError
from hls_projects.files import (
    FileError,
    cache_folder,
    check_readable,
    locked,
    read_whole,
    replace_folder,
    replacing,
    write_whole,
)
from tests.support.disk import file_limit

Maker = Callable[[Path], None]


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def make_link(path: Path) -> None:
    path.with_name("target").write_text("theirs")
    path.symlink_to("target")


ODD: dict[str, Maker] = {
    "FIFO": os.mkfifo,
    "folder": Path.mkdir,
    "link": make_link,
    "dangling link": lambda path: path.symlink_to("nowhere"),
    "socket": make_socket,
}


@pytest.mark.parametrize("content", [b"\0bytes", "text é"])
def test_writing(tmp_path: Path, content: bytes | str):
    path = tmp_path / "new" / "folder" / "file"
    for _ in range(2):
        write_whole(path, content)
        assert path.read_bytes() == (content if isinstance(content, bytes) else content.encode())
    assert [found.name for found in path.parent.iterdir()] == ["file"]


def test_rights_are_those_of_any_new_file(tmp_path: Path):
    (tmp_path / "plain").touch()
    with replacing(tmp_path / "file") as part:
        part.chmod(0o600)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


@pytest.mark.parametrize("kind", ODD)
def test_only_regular_files_are_replaced(tmp_path: Path, kind: str):
    path = tmp_path / "file"
    ODD[kind](path)
    before = path.lstat()
    with pytest.raises(FileError, match="not a regular file") as caught:
        write_whole(path, b"mine")
    assert isinstance(caught.value, InputError) and caught.value.strerror
    after = path.lstat()
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)
    assert not (tmp_path / "target").exists() or (tmp_path / "target").read_text() == "theirs"
    assert not list(tmp_path.glob(".*"))


def test_devices_are_not_replaced():
    for device in map(Path, ("/dev/full", "/dev/null")):
        with pytest.raises(FileError):
            write_whole(device, b"mine")
        assert stat.S_ISCHR(device.lstat().st_mode)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_writer_that_fails_leaves_nothing(tmp_path: Path, error: type[BaseException]):
    (tmp_path / "file").write_text("earlier")
    with pytest.raises(error), replacing(tmp_path / "file") as part:
        part.write_text("half")
        raise error
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"file": "earlier"}


def test_a_full_disk_leaves_nothing(tmp_path: Path):
    (tmp_path / "file").write_text("earlier")
    with file_limit(1000), pytest.raises(OSError, match="File too large"):
        write_whole(tmp_path / "file", bytes(2000))
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"file": "earlier"}


def test_reading(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    assert read_whole(tmp_path / "file") == read_whole(tmp_path / "link", 7) == b"content"
    check_readable(tmp_path / "link")
    with pytest.raises(FileError, match="has 7 bytes, more than 6"):
        read_whole(tmp_path / "file", 6)
    with pytest.raises(FileNotFoundError):
        read_whole(tmp_path / "none")


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/stdin", "fifo", "."])
def test_what_has_no_end_is_not_read(tmp_path: Path, path: str):
    os.mkfifo(tmp_path / "fifo")
    for read in (read_whole, check_readable):
        # The name in /dev may lead anywhere, to a regular file as well.
        if path != "/dev/stdin" or not Path(path).is_file():
            with pytest.raises(FileError, match="not a regular file"):
                read(tmp_path / path)


# The lock


def test_one_holder(tmp_path: Path):
    path = tmp_path / "lock"
    with locked(path, "busy"):
        with pytest.raises(InputError, match="busy"), locked(path, "busy"):
            pytest.fail("entered")
        assert path.exists()
    with locked(path, "busy"):
        pass
    assert not list(tmp_path.iterdir())


def test_a_killed_holder_holds_nothing(tmp_path: Path):
    path = tmp_path / "lock"
    code = "import sys, time\nfrom pathlib import Path\nfrom hls_projects.files import locked\n"
    code += "with locked(Path(sys.argv[1]), 'busy'):\n    print('held', flush=True)\n    time.sleep(60)\n"
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(InputError), locked(path, "busy"):
            pytest.fail("entered")
        holder.kill()
    assert path.exists()
    with locked(path, "busy"):
        pass


@pytest.mark.parametrize("kind", ODD)
def test_a_lock_file_is_a_regular_file(tmp_path: Path, kind: str):
    ODD[kind](tmp_path / "lock")
    with pytest.raises(FileError), locked(tmp_path / "lock", "busy"):
        pytest.fail("entered")
    assert not (tmp_path / "target").exists() or (tmp_path / "target").read_text() == "theirs"


# The exchange of folders


@pytest.fixture(params=["renameat2", "two renames"])
def exchanged(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "two renames":
        monkeypatch.setattr(files, "_exchange", lambda one, other: False)


@pytest.mark.usefixtures("exchanged")
@pytest.mark.parametrize("there", [False, True])
def test_a_folder_takes_a_name(tmp_path: Path, there: bool):
    made, out = tmp_path / "made", tmp_path / "out"
    made.mkdir()
    (made / "new").touch()
    if there:
        out.mkdir()
        (out / "old").touch()
    replace_folder(made, out, tmp_path / "aside")
    assert [path.name for path in out.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_the_kernel_exchanges(tmp_path: Path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    if not files._exchange(tmp_path / "one", tmp_path / "other"):
        pytest.skip("this file system has no exchange")
    assert (tmp_path / "one" / "other").exists() and (tmp_path / "other" / "one").exists()
    with pytest.raises(FileNotFoundError):
        files._exchange(tmp_path / "one", tmp_path / "none")


def test_an_exchange_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "made").mkdir()
    (tmp_path / "out").mkdir()

    def fail(one: Path, other: Path) -> bool:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(files, "_exchange", fail)
    with pytest.raises(OSError, match="Input/output"):
        replace_folder(tmp_path / "made", tmp_path / "out", tmp_path / "aside")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "out"]


# The cache


def test_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert cache_folder("programs", "x") == tmp_path / "cache" / "potstream" / "programs" / "x"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "potstream"
    assert not list(tmp_path.iterdir())


def test_no_home(monkeypatch: pytest.MonkeyPatch):
    def unknown(_: int) -> None:
        raise KeyError

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    with pytest.raises(FileError, match="set XDG_CACHE_HOME"):
        cache_folder("programs")
