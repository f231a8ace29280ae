"""Boards are data, and a wrong file names its key."""

from __future__ import annotations

from pathlib import Path

import pytest

from hls_projects import targets
from hls_projects.targets import TargetError, load_target, target_names

BOARD = {"part": '"xc7z020clg400-1"', "clock_mhz": "100.0", "lut": "1", "ff": "2", "bram36": "3", "dsp": "4"}


def write_board(folder: Path, **changes: str | None) -> None:
    lines = [f"{key} = {value}" for key, value in (BOARD | changes).items() if value is not None]
    (folder / "board.toml").write_text("\n".join(lines))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(targets, "FOLDER", tmp_path)
    return tmp_path


def test_pynq_z2():
    board = load_target("pynq-z2")
    assert board.part == "xc7z020clg400-1" and board.clock_period_ns == 10.0
    assert (board.lut, board.ff, board.bram36, board.dsp) == (53200, 106400, 140, 220)


@pytest.mark.parametrize("name", ["zcu104", "", "../targets/pynq-z2", "PYNQ-Z2"])
def test_unknown_target_lists_the_known(name: str):
    with pytest.raises(TargetError, match=r"unknown target .*; known targets: .*pynq-z2"):
        load_target(name)


def test_a_board_is_one_file(folder: Path):
    write_board(folder)
    assert target_names() == ["board"] and load_target("board").dsp == 4


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"uram": "1"}, "key 'uram' is unknown"),
        ({"dsp": None}, "key 'dsp' is missing"),
        ({"part": "7"}, "key 'part' must be a device name"),
        ({"clock_mhz": '"fast"'}, "key 'clock_mhz' must be a positive number"),
        ({"clock_mhz": "0"}, "key 'clock_mhz' must be a positive number"),
        ({"lut": "true"}, "key 'lut' must be a positive number"),
        ({"lut": "1 2"}, "is not TOML"),
    ],
)
def test_wrong_board_file(folder: Path, changes: dict[str, str | None], message: str):
    write_board(folder, **changes)
    with pytest.raises(TargetError, match=rf"targets/board.toml.*{message}"):
        load_target("board")
