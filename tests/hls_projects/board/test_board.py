"""The top level for a board, under packets as a DMA sends them, right and wrong ones."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from qonnx.core.modelwrapper import ModelWrapper

from flows.building.summary import logit_scale
from hls_projects import simulation
from hls_projects.board import Packets
from hls_projects.board.top import HEADER
from hls_projects.errors import InputError
from hls_projects.project import lint
from hls_projects.simulation.compiler import BLOCKS_HEADER
from tests.support.axi_simulation import (
    AXI_BOUNDED,
    AXI_REFERENCE,
    AXI_SERVER,
    NATIVE_FOLDERS,
    AxiCore,
    BenchRun,
    run_bench,
)
from tests.support.bounded_simulation import DEADLOCK_STATUS
from tests.support.models import noise

IMAGES = 4
# By case: packets, calls, images that come out, and wrong packets.
CASES = {
    "back to back": (4, 4, 4, 0),
    "early TLAST, first beat": (2, 2, 1, 1),
    "missing TLAST": (3, 3, 2, 1),
    "gaps in the packets": (2, 2, 2, 0),
    "slow reader": (3, 3, 3, 0),
    "gaps and a slow reader": (2, 2, 2, 0),
    "early TLAST, last but one": (3, 3, 2, 1),
    "early TLAST, three in a row": (4, 4, 1, 3),
    "missing TLAST, twice": (4, 4, 2, 1),
    "a beat too long": (2, 3, 1, 1),
    "half an image too long": (2, 3, 1, 1),
    "last beat not full": (2, 2, 1, 1),
    "right again": (2, 2, 2, 0),
}
PORTS = {"images": 1, "results": 1, "beats": 2, "pixels": 2, "whole": 64, "logits": 2}


@pytest.fixture(scope="module")
def out(finished_build: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build, with four of its images and their logits for the test benches."""
    folder = shutil.copytree(finished_build, tmp_path_factory.mktemp("board") / "out")
    codes = np.load(folder / "logits_csim.npy") / logit_scale(ModelWrapper(str(folder / "lowered.onnx")))
    simulation.write_vectors(folder / "hls" / "tb_data", noise(IMAGES), codes[:IMAGES])
    np.save(folder / "codes.npy", codes.astype(np.int64))
    simulation.compile_programs(folder / "hls", [AXI_BOUNDED, AXI_SERVER])
    return folder


@pytest.fixture(scope="module")
def hls(out: Path) -> Path:
    return out / "hls"


def depths_file(out: Path, folder: Path, **changes: int) -> Path:
    """Depths of the FIFOs in the network and around it, for the threads."""
    inner = {name: row["depth"] for name, row in json.loads((out / "fifo_depths.json").read_text()).items()}
    path = folder / "depths.txt"
    path.write_text("".join(f"{name} {depth}\n" for name, depth in (inner | PORTS | changes).items()))
    return path


STUB = """
#include "vit.h"
void vit(hls::stream<input_t> &pixels, hls::stream<result_t> &logits) {
    long sums[3] = {0, 0, 0};
    for (unsigned n = 0; n < 1024; n++) {
        const input_t pixel = pixels.read();
        for (unsigned c = 0; c < 3; c++)
            sums[c] += int(pixel[c]) * int(n % 7);
    }
    result_t codes;
    for (unsigned n = 0; n < result_t::size; n++)
        codes[n] = (sums[n % 3] + 11 * n) % 30011;
    logits.write(codes);
}
"""


def stub_codes(images: np.ndarray) -> np.ndarray:
    sums = (images.reshape(-1, 1024, 3).astype(np.int64) * (np.arange(1024) % 7)[:, None]).sum(axis=1)
    return (sums[:, np.arange(10) % 3] + 11 * np.arange(10)) % 30011


def stubbed(hls: Path, folder: Path, flags: tuple[str, ...], old: str = "", new: str = "") -> BenchRun:
    """The test bench on a network of a few sums, which compiles at once, with another text in axi_top.h."""
    firmware = folder / "firmware"
    firmware.mkdir()
    for path in (hls / "firmware").iterdir():
        (firmware / path.name).symlink_to(path)
    (firmware / "vit.cpp").unlink()
    (firmware / "vit.cpp").write_text(STUB)
    for name in ("vit_axi.h", "vit_axi.cpp", HEADER.name):
        (firmware / name).unlink()
        (firmware / name).write_text((hls / "firmware" / name).read_text())
    header = (firmware / HEADER.name).read_text()
    assert not old or header.count(old) == 1
    (firmware / HEADER.name).write_text(header.replace(old, new) if old else header)
    (folder / "vit_axi_test.cpp").write_text((hls / "vit_axi_test.cpp").read_text())
    simulation.write_vectors(folder / "tb_data", noise(IMAGES), stub_codes(noise(IMAGES)))
    program = simulation.Program("stubbed", AXI_REFERENCE.sources, (*flags, "-O0"))
    simulation.compile_programs(folder, [program])
    return run_bench(folder, program)


# The test bench


def check_sequential(run: BenchRun) -> None:
    assert run.status == 0 and "PASS 0 failures" in run.text, run.text
    assert run.cases == CASES
    beats = sum(calls for _, calls, _, _ in CASES.values()) * 384
    assert f"counters: 24 in, 24 out, 10 wrong, {beats} cycles, 0 starved, 0 backpressured" in run.text


@pytest.mark.slow
def test_packets_one_call_after_the_other(hls: Path):
    """The network on ap_types, as Vitis HLS simulates it."""
    simulation.compile_programs(hls, [AXI_REFERENCE])
    check_sequential(run_bench(hls, AXI_REFERENCE))


def test_packets_between_threads_with_short_fifos(out: Path, hls: Path, tmp_path: Path):
    """Gaps in what comes and pauses of the reader reach every FIFO; nothing deadlocks, and all waits are counted."""
    run = run_bench(hls, AXI_BOUNDED, depths_file(out, tmp_path))
    assert run.status == 0 and "PASS 0 failures" in run.text, run.text
    assert run.cases == CASES
    cycles, starved, backpressured = map(
        int, re.search(r"(\d+) cycles, (\d+) starved, (\d+) backpressured", run.text).groups()
    )
    assert starved > 100 and backpressured > 100 and cycles == 37 * 384 + starved + backpressured


def test_the_threads_see_a_core_that_stands_still(out: Path, hls: Path, tmp_path: Path):
    """Otherwise the test above could not fail: a FIFO that the attention needs is too short."""
    inner = json.loads((out / "fifo_depths.json").read_text())
    deepest = max(inner, key=lambda name: inner[name]["depth"])
    run = run_bench(hls, AXI_BOUNDED, depths_file(out, tmp_path, **{deepest: 1}))
    assert run.status == DEADLOCK_STATUS and "deadlock:" in run.text


def test_packets_one_call_after_the_other_with_a_stub(hls: Path, tmp_path: Path):
    """On ap_types, as Vitis HLS simulates the top level."""
    check_sequential(stubbed(hls, tmp_path, AXI_REFERENCE.flags))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("ended && !early && full", "ended && full", "FAIL: case early TLAST, first beat"),
        ("is_open = !ended", "is_open = false", "FAIL: case missing TLAST, twice: a counter is wrong"),
        ("beat.last = n == n_beats - 1", "beat.last = 0", "TKEEP or TLAST is wrong"),
    ],
)
def test_the_bench_sees_what_is_wrong(hls: Path, tmp_path: Path, old: str, new: str, said: str):
    flags = ("-std=c++17", "-w", "-I.", *NATIVE_FOLDERS, f"-I{BLOCKS_HEADER.parent}")
    run = stubbed(hls, tmp_path, flags, old, new)
    assert run.status == 1 and said in run.text


# The core as the driver's tests use it


def test_order_of_the_bytes(out: Path, hls: Path):
    """The image's bytes as numpy has them; logits, class, number of the packet, as int32."""
    codes = np.load(out / "codes.npy")
    core = AxiCore(hls)
    try:
        for index, image in enumerate(noise(IMAGES)):
            (packet,) = core.send(image.tobytes())
            words = np.frombuffer(packet, "<i4")
            assert len(words) == 12
            np.testing.assert_array_equal(words[:10], codes[index])
            assert list(words[10:]) == [codes[index].argmax(), index]
    finally:
        core.close()


def test_a_cut_packet_is_dropped_and_numbered(out: Path, hls: Path):
    image = noise(1)[0].tobytes()
    core = AxiCore(hls)
    try:
        assert core.send(image[:800]) == []
        assert core.send(image, last=False) == []
        (packet,) = core.send(image)
        assert np.frombuffer(packet, "<i4")[11] == 2
        assert core.counters == {
            "images_in": 1, "images_out": 1, "wrong_packets": 2, "cycles": 3 * 384, "starved": 0, "backpressured": 0,
        }  # fmt: skip
    finally:
        core.close()


def test_any_sequence_of_packets(out: Path, hls: Path):
    """80 packets of any length, with and without TLAST, against the rule of axi_top.h taken beat by beat."""
    random, codes, images = np.random.default_rng(7), np.load(out / "codes.npy"), noise(IMAGES)
    held, is_open, n_calls, n_wrong, n_right = b"", False, 0, 0, 0
    core = AxiCore(hls)
    try:
        for _ in range(80):
            index = int(random.integers(IMAGES))
            length = int(random.choice([384, 384, 1, 383, 385, 767, 768, random.integers(1, 900)]))
            data = (images[index].tobytes() * 3)[: 8 * length]
            last = bool(random.random() < 0.8)
            got, expected = core.send(data, last=last), []
            for beat in range(length):
                held += data[8 * beat : 8 * beat + 8]
                ends = last and beat == length - 1
                if ends or len(held) == 3072:
                    is_image = ends and len(held) == 3072
                    same = [n for n in range(IMAGES) if images[n].tobytes() == held]
                    expected += [(n_calls, same)] if is_image else []
                    n_wrong += not is_image and not is_open
                    is_open, n_calls, held = not ends, n_calls + 1, b""
            assert [int(np.frombuffer(packet, "<i4")[11]) for packet in got] == [number for number, _ in expected]
            n_right += len(got)
            for packet, (_, same) in zip(got, expected, strict=True):
                for n in same:
                    np.testing.assert_array_equal(np.frombuffer(packet, "<i4")[:10], codes[n])
        assert core.counters["images_out"] == n_right > 20 and core.counters["wrong_packets"] == n_wrong > 20
    finally:
        core.close()


# What is generated


def test_the_sizes_are_those_of_the_network(hls: Path):
    text = (hls / "firmware" / "vit_axi.h").read_text()
    assert "image_pixels = 1024;" in text and "image_beats = 384;" in text


def test_every_register_has_its_pragma(hls: Path):
    text = (hls / "firmware" / "vit_axi.cpp").read_text()
    ports = re.search(r"void vit_axi\((.*?)\) \{", text, re.DOTALL)[1]
    names = re.findall(r"&(\w+)", ports)
    assert names[:2] == ["images", "results"] and len(names) == 8
    pragmas = dict(re.findall(r"#pragma HLS INTERFACE \w+ port=(\w+)()", text))
    assert set(pragmas) == {*names, "return"}


def test_the_header_has_no_warnings(hls: Path):
    """-Wall on the new files; those of ap_types and hls4ml have warnings of their own."""
    command = ["g++", "-std=c++14", "-Wall", "-Wextra", "-Wno-unknown-pragmas", "-Wno-unused-label", "-fsyntax-only",
               "-isystem", "firmware/ap_types", "-Ifirmware", "firmware/vit_axi.cpp", "vit_axi_test.cpp"]  # fmt: skip
    said = subprocess.run(command, cwd=hls, capture_output=True, text=True, check=True).stderr
    assert not re.findall(r"^.*(?:axi_top\.h|vit_axi\w*\.(?:h|cpp)):\d+:\d+: warning.*$", said, re.MULTILINE)


def test_the_header_has_no_word_that_is_not_synthesized():
    """The lint's rules for kernels but those of streams alone and of bounded loops: it has registers, and it waits."""
    found = [finding for finding in lint.lint_kernel(HEADER) if any(f" {kind}: " in finding for kind in lint.FORBIDDEN)]
    assert not found and lint.has_guard(lint.strip_comments(HEADER.read_text()))


def test_bytes_of_the_packets():
    packets = Packets(32, 32, 3, 10)
    assert (packets.image_bytes, packets.image_beats, packets.result_words, packets.result_bytes) == (
        3072, 384, 12, 48,
    )  # fmt: skip
    assert Packets(32, 32, 3, 9).result_words == 12 and Packets(32, 32, 3, 11).result_words == 14


def test_images_that_do_not_fill_a_beat_are_refused():
    class Type:
        width, signed = 8, False

    class Variable:
        def __init__(self, *shape: int):
            self.shape, self.type = shape, type("T", (), {"precision": Type})

    class Graph:
        get_input_variables = staticmethod(lambda: [Variable(3, 3, 3)])
        get_output_variables = staticmethod(lambda: [Variable(10)])

    with pytest.raises(InputError, match="an image of 27 bytes does not fill beats of 8"):
        Packets.of(Graph)
