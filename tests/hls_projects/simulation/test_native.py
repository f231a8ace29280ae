"""The fast simulation of a small network that misbehaves when an image asks for it."""

from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from hls_projects.errors import InputError
from hls_projects.simulation import NATIVE, compile_programs, simulate_native

SHAPE = (4, 4, 3)
# The first channel of the first pixel selects another behaviour.
HEADER = """
#include "ap_int.h"
#include "hls_stream.h"
template <class T, unsigned N> struct array {
    typedef T value_type;
    static const unsigned size = N;
    T data[N];
    T &operator[](unsigned index) { return data[index]; }
    const T &operator[](unsigned index) const { return data[index]; }
};
typedef array<ap_uint<8>, 3> input_t;
typedef array<ap_int<16>, 2> result_t;
void vit(hls::stream<input_t> &pixels, hls::stream<result_t> &logits);
"""
NETWORK = """
#include "vit.h"
#include <csignal>
#include <vector>
void vit(hls::stream<input_t> &pixels, hls::stream<result_t> &logits) {
    result_t sums;
    sums[0] = 0;
    sums[1] = -5;
    for (int index = 0; index < 16; index++) {
        const input_t pixel = pixels.read();
        if (index == 0 && pixel[0] == 251)
            std::raise(SIGSEGV);
        if (index == 0 && pixel[0] == 252)
            for (volatile bool on = true; on;)
                ;
        if (index == 0 && pixel[0] == 253)
            pixels.read();
        if (index == 0 && pixel[0] == 254)
            for (int i = 0; i < 17; i++)
                logits.read();
        sums[0] += pixel[0] + pixel[1];
        sums[1] -= pixel[2] * index;
    }
    logits.write(sums);
}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project") / "hls"
    (folder / "firmware").mkdir(parents=True)
    (folder / "firmware" / "vit.h").write_text(HEADER)
    (folder / "firmware" / "vit.cpp").write_text(NETWORK)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        compile_programs(folder, [NATIVE])
    return folder


def images(count: int, **orders: int) -> np.ndarray:
    """Noise; ``image7=251`` gives an order to the network with image 7."""
    made = np.random.default_rng(count).integers(0, 251, (count, *SHAPE), dtype=np.uint8)
    for name, order in orders.items():
        made[int(name.removeprefix("image")), 0, 0, 0] = order
    return made


def expected(made: np.ndarray) -> np.ndarray:
    pixels = made.reshape(len(made), 16, 3).astype(np.int64)
    codes = np.stack([pixels[..., :2].sum(axis=(1, 2)), -5 - (pixels[..., 2] * np.arange(16)).sum(axis=1)], axis=1)
    return (codes + 2**15) % 2**16 - 2**15


def processes(project: Path) -> set[str]:
    """Those that run the project's program."""
    program, found = str(NATIVE.path(project).resolve()), set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if program in (folder / "cmdline").read_text().split("\0"):
                found.add(folder.name)
        except OSError:
            continue
    return found


@pytest.mark.parametrize("workers", [1, 2, 3, 7, None])
def test_results_come_back_in_order(project, tmp_path, workers):
    seen, made = [], images(5)
    codes, memory = simulate_native(project, tmp_path / "work", made, 2, seen.append, workers=workers)
    assert codes.dtype == np.int64 and np.array_equal(codes, expected(made)) and seen[-1] == 5
    assert 500 < memory < 100_000


def test_relative_folders(project, tmp_path, monkeypatch):
    monkeypatch.chdir(project.parent)
    made = images(3)
    codes, _ = simulate_native(Path("hls"), Path("work"), made, 2, workers=2)
    assert np.array_equal(codes, expected(made))


@pytest.mark.parametrize(
    "order, message",
    [
        (251, "was ended by SIGSEGV at image 7: no message"),
        (252, "has not finished image 7 within 0.5 s"),
        (253, "ended with 3 at image 7: read of an empty FIFO: pixels"),
        (254, "ended with 3 at image 7: read of an empty FIFO: logits"),
    ],
)
def test_failure_names_the_image(project, tmp_path, order, message):
    """Of ten images in three workers, 7 is the first of the last one and 8 the second."""
    with pytest.raises(InputError, match=f"^the C-simulation {message}$"):
        simulate_native(project, tmp_path, images(10, image7=order), 2, workers=3, timeout=0.5)
    later = message.replace("image 7", "image 8")
    with pytest.raises(InputError, match=f"^the C-simulation {later}$"):
        simulate_native(project, tmp_path, images(10, image8=order), 2, workers=3, timeout=0.5)
    assert not processes(project)


def test_words_that_are_left(project, tmp_path):
    """The network leaves pixels of an image that is larger than it knows."""
    large = np.zeros((1, 4, 8, 3), np.uint8)
    with pytest.raises(InputError, match=r"ended with 3 at image .: words are left in pixels"):
        simulate_native(project, tmp_path, large, 2, workers=1)


def test_kill_by_somebody_else(project, tmp_path):
    def kill() -> None:
        while not (mine := processes(project)):
            time.sleep(0.02)
        time.sleep(0.2)
        subprocess.run(["kill", "-9", *mine], check=True)

    thread = threading.Thread(target=kill)
    thread.start()
    with pytest.raises(InputError, match="was ended by SIGKILL at image 2: no message"):
        simulate_native(project, tmp_path, images(4, image2=252), 2, workers=1)
    thread.join()
    assert not processes(project)


def test_full_disk(project, tmp_path):
    (tmp_path / "native1.bin").symlink_to("/dev/full")
    with pytest.raises(InputError, match=r"ended with 4 at image 3: cannot write \S+native1.bin: No space left"):
        simulate_native(project, tmp_path, images(6), 2, workers=2)


def test_files_that_cannot_be_used(project, tmp_path):
    """The driver alone, with arguments of its own."""
    program, made = NATIVE.path(project), tmp_path / "images.bin"
    images(3).tofile(made)

    def run(*arguments: object) -> tuple[int, str]:
        done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    results = tmp_path / "results.bin"
    assert run(made, results, 48, 1, 2) == (0, "") and results.stat().st_size == 2 * 2 * 4
    assert run(made, results, 48, 1, 0) == (0, "") and results.stat().st_size == 0
    assert run(made, results, 48, 0)[0] == 2
    for arguments in [(made, results, 48, 1, 3), (tmp_path / "none", results, 48, 0, 1), (made, tmp_path, 48, 0, 1)]:
        status, said = run(*arguments)
        assert status == 4 and str(tmp_path) in said


def test_memory_does_not_grow_with_the_images(project, tmp_path):
    _, few = simulate_native(project, tmp_path, images(50), 2, workers=1)
    _, many = simulate_native(project, tmp_path, images(20_000), 2, workers=1)
    assert many - few < 1024
