"""Boards are data, and a wrong file names its key."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from hls_projects import targets
from hls_projects.errors import InputError
from hls_projects.targets import load_target, target_names

BOARD = """\
part = "xc7z020clg400-1"
board_part = "vendor.com:board:part0:1.0"
clock_mhz = 100.0

[resources]
LUT = 1
FF = 2
BRAM36 = 3
DSP = 4

[memory]
width_bits = 16
megatransfers = 1000

[stream]
width_bits = 64
"""
SHIPPED = ["arty-a7-100", "kv260", "pynq-z1", "pynq-z2", "ultra96-v2", "zybo-z7-20"]
Z7020 = {"LUT": 53200, "FF": 106400, "BRAM36": 140, "DSP": 220}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "targets"
    folder.mkdir()
    monkeypatch.setattr(targets, "FOLDER", folder)
    return folder


def test_pynq_z2():
    board = load_target("pynq-z2")
    assert board.part == "xc7z020clg400-1" and board.clock_period_ns == 10.0 and board.resources == Z7020
    assert (board.memory_width_bits, board.stream_width_bits) == (16, 64)
    assert board.memory_bytes_per_second == 2.1e9
    assert hash(board) == hash(load_target("pynq-z2"))


# DS190, DS180, DS987, DS891.
@pytest.mark.parametrize(
    "name, part, resources",
    [
        ("pynq-z1", "xc7z020clg400-1", Z7020),
        ("zybo-z7-20", "xc7z020clg400-1", Z7020),
        ("arty-a7-100", "xc7a100tcsg324-1", {"LUT": 63400, "FF": 126800, "BRAM36": 135, "DSP": 240}),
        (
            "kv260",
            "xck26-sfvc784-2LV-c",
            {"LUT": 117120, "FF": 234240, "BRAM36": 144, "URAM": 64, "DSP": 1248},
        ),
        ("ultra96-v2", "xczu3eg-sbva484-1-i", {"LUT": 70560, "FF": 141120, "BRAM36": 216, "DSP": 360}),
    ],
)
def test_the_others_are_those_of_the_data_sheets(name: str, part: str, resources: dict[str, int]):
    board = load_target(name)
    assert (board.name, board.part, board.resources) == (name, part, resources)


def test_every_shipped_file_names_its_sources():
    assert target_names() == SHIPPED
    for name in SHIPPED:
        text = (targets.FOLDER / f"{name}.toml").read_text()
        comment = " ".join(line for line in text.splitlines() if line.startswith("#"))
        assert re.search(r"Resources.* DS\d{3}", comment) and re.search(r"[Mm]emory", comment) and "choice" in comment
        # Two flip-flops a LUT on all of these families.
        assert load_target(name).resources["FF"] == 2 * load_target(name).resources["LUT"]


def test_the_schema_is_a_schema_and_describes_every_key():
    schema = json.loads(targets.SCHEMA.read_text())
    Draft202012Validator.check_schema(schema)

    def check(part: dict) -> None:
        for item in part.get("properties", {}).values():
            assert item["description"]
            check(item)

    check(schema)
    assert set(schema["properties"]) == set(tomllib.loads(BOARD))


@pytest.mark.parametrize("name", ["zcu104", "", "../targets/pynq-z2", "PYNQ-Z2"])
def test_unknown_target_lists_the_known(name: str):
    with pytest.raises(InputError, match=r"unknown target .*; known targets: arty-a7-100, .*, zybo-z7-20; or give"):
        load_target(name)


def test_a_board_is_one_file(folder: Path):
    (folder / "board.toml").write_text(BOARD)
    assert target_names() == ["board"] and load_target("board").resources["DSP"] == 4


def test_a_board_by_its_path(tmp_path: Path):
    (tmp_path / "mine.toml").write_text(BOARD.replace("DSP = 4", "DSP = 4\nURAM = 5"))
    board = load_target(str(tmp_path / "mine.toml"))
    assert board.name == "mine" and board.resources["URAM"] == 5


def test_a_path_without_a_file(tmp_path: Path):
    with pytest.raises(InputError, match=r"none\.toml does not exist; known targets: arty"):
        load_target(str(tmp_path / "none.toml"))


def test_a_known_name_is_for_the_known_board_only(tmp_path: Path):
    """Reports tell boards apart by name."""
    assert load_target(str(targets.FOLDER / "kv260.toml")) == load_target("kv260")
    shutil.copy(targets.FOLDER / "kv260.toml", tmp_path)
    with pytest.raises(InputError, match="has the name of a known target; rename the file"):
        load_target(str(tmp_path / "kv260.toml"))


WRONG = [
    ("DSP = 4", "DSP = 4\nMULT = 1", "key 'resources.MULT' is unknown; known are LUT, FF, BRAM36, URAM, DSP"),
    ("LUT = 1", "lut = 1", "key 'resources.lut' is unknown; did you mean 'resources.LUT'"),
    ("BRAM36", "BRAM", "key 'resources.BRAM' is unknown; did you mean 'resources.BRAM36'"),
    ("clock_mhz", "clock", "key 'clock' is unknown; did you mean 'clock_mhz'"),
    ("DSP = 4", "", "key 'resources.DSP' is missing: DSP slices"),
    ("[stream]\nwidth_bits = 64", "", "key 'stream' is missing: The widest AXI port"),
    ('"xc7z020clg400-1"', "7", "key 'part': 7 is not of type 'string'"),
    ('"xc7z020clg400-1"', '""', "key 'part': '' "),
    ("vendor.com:board:part0:1.0", "board", "key 'board_part': 'board' does not match"),
    ("100.0", '"fast"', "key 'clock_mhz': 'fast' is not of type 'number'"),
    ("100.0", "0", "key 'clock_mhz': 0 is less than or equal to the minimum"),
    ("100.0", "nan", "key 'clock_mhz' must be a number, not nan"),
    ("1000", "inf", "key 'memory.megatransfers' must be a number, not inf"),
    ("LUT = 1", "LUT = true", "key 'resources.LUT': True is not of type 'integer'"),
    ("LUT = 1", "LUT = 1.5", "key 'resources.LUT': 1.5 is not of type 'integer'"),
    ("LUT = 1", "LUT = -1", "key 'resources.LUT': -1 is less than the minimum"),
    (
        "[resources]\nLUT = 1\nFF = 2\nBRAM36 = 3\nDSP = 4",
        "resources = 3",
        "key 'resources': 3 is not of type 'object'",
    ),
    ("LUT = 1", "LUT = 1 2", "is not TOML"),
]


@pytest.mark.parametrize("old, new, message", WRONG)
def test_wrong_board_file(folder: Path, tmp_path: Path, old: str, new: str, message: str):
    assert BOARD.count(old) == 1
    for file, shown in ((folder / "board.toml", "targets/board.toml"), (tmp_path / "mine.toml", f"{tmp_path}/mine")):
        file.write_text(BOARD.replace(old, new))
        with pytest.raises(InputError) as caught:
            load_target("board" if file.parent == folder else str(file))
        assert str(caught.value).startswith(shown) and message in str(caught.value)


def test_a_file_that_is_no_text(folder: Path):
    (folder / "board.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="is not TOML"):
        load_target("board")
