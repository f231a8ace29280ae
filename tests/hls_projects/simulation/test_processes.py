"""Simulations that crash, hang or are interrupted; scripts stand in for the compiled programs."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

from hls_projects.errors import InputError
from hls_projects.simulation import NATIVE, REFERENCE, simulate_native, simulate_reference
from hls_projects.simulation.processes import Worker, run_workers, split
from hls_projects.simulation.reference import read_trace, write_vectors

CLASSES = 10
# The expected codes come back as results.
ECHO = "cp tb_data/tb_output_predictions.dat tb_data/csim_results.log"


def pixels(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)


def expected(count: int) -> np.ndarray:
    return np.arange(count * CLASSES).reshape(count, CLASSES) - 20


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen]:
    """All workers that were started."""
    start, processes = Worker.start, []

    def start_and_note(self: Worker) -> subprocess.Popen:
        processes.append(start(self))
        return processes[-1]

    monkeypatch.setattr(Worker, "start", start_and_note)
    return processes


def nothing_runs(started: list[subprocess.Popen], count: int) -> bool:
    """``count`` workers were started, and each is dead and waited for."""
    return len(started) == count and not any(Path(f"/proc/{process.pid}").exists() for process in started)


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def workers(tmp_path: Path, text: str, count: int, in_all: int) -> list[Worker]:
    """``in_all`` images; a worker runs the script with the number of its first image and how many it has.

    A line in ``results<first>`` is a finished image.
    """
    program = script(tmp_path / "program", text)

    def done(path: Path) -> int:
        return path.read_text().count("\n") if path.exists() else 0

    return [
        Worker(
            name=f"worker{index}",
            command=[str(program), str(part[0]), str(len(part))],
            folder=tmp_path,
            logs=tmp_path,
            first=int(part[0]),
            count=len(part),
            done=functools.partial(done, tmp_path / f"results{part[0]}"),
        )
        for index, part in enumerate(split(in_all, count))
    ]


ALL = "for i in $(seq $2); do echo $i >> results$1; done"
# The second of two workers finishes one image of its three.
ONE_THEN = "[ $1 = 0 ] && exec sleep 60; echo >> results$1; "


@pytest.mark.parametrize("count, parts", [(1, [5]), (2, [3, 2]), (3, [2, 2, 1]), (7, [1, 1, 1, 1, 1])])
def test_split(count, parts):
    found = split(5, count)
    assert [len(part) for part in found] == parts and np.concatenate(found).tolist() == list(range(5))


def test_split_takes_a_worker_a_core():
    assert len(split(1000)) == os.cpu_count()


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_progress_ends_with_all(tmp_path, started, count):
    seen = []
    run_workers(workers(tmp_path, ALL, count, 5), seen.append)
    assert seen[-1] == 5 and seen == sorted(seen) and nothing_runs(started, min(count, 5))


@pytest.mark.parametrize(
    "text, message",
    [
        ("echo broken >&2; exit 3", r"^the C-simulation ended with 3 at image 4: broken$"),
        ("kill -SEGV $$", r"^the C-simulation was ended by SIGSEGV at image 4: no message$"),
        ("kill -KILL $$", r"^the C-simulation was ended by SIGKILL at image 4: no message$"),
        ("exit 0", r"^the C-simulation gave 1 of 3 results from image 3 on$"),
        ("seq 100 >> results$1", r"^the C-simulation gave 101 of 3 results from image 3 on$"),
    ],
)  # fmt: skip
def test_failure_names_the_image_and_ends_all(tmp_path, started, text, message):
    """The second worker has the images 3 to 5 and fails after the first of them."""
    with pytest.raises(InputError, match=message):
        run_workers(workers(tmp_path, ONE_THEN + text, 2, 6), lambda done: None, timeout=0.5)
    assert nothing_runs(started, 2)


def test_hang(tmp_path, started):
    text = f"[ $1 = 0 ] && {{ {ALL}; exit; }}; echo >> results$1; exec sleep 60"
    with pytest.raises(InputError, match=r"^the C-simulation has not finished image 4 within 0.5 s$"):
        run_workers(workers(tmp_path, text, 2, 6), lambda done: None, timeout=0.5)
    assert nothing_runs(started, 2)


def test_kill_by_somebody_else(tmp_path, started):
    def kill(done: int) -> None:
        if done == 1:
            started[1].send_signal(signal.SIGKILL)

    with pytest.raises(InputError, match="was ended by SIGKILL at image 4: no message"):
        run_workers(workers(tmp_path, ONE_THEN + "exec sleep 60", 2, 6), kill)
    assert nothing_runs(started, 2)


def test_slow_is_not_hanging(tmp_path):
    """The limit is for one image, not for all."""
    slow = "for i in $(seq $2); do sleep 0.5; echo $i >> results$1; done"
    run_workers(workers(tmp_path, slow, 1, 4), lambda done: None, timeout=1.2)


def test_program_that_does_not_start(tmp_path, started):
    first, second = workers(tmp_path, "exec sleep 60", 2, 6)
    with pytest.raises(FileNotFoundError):
        run_workers([first, Worker(**(second.__dict__ | {"command": [str(tmp_path / "none")]}))], lambda done: None)
    assert nothing_runs(started, 1)


def test_only_the_end_of_what_it_said_is_told(tmp_path):
    text = "for i in $(seq 2000); do echo $i >&2; done; exit 1"
    with pytest.raises(InputError, match=r"2000$") as said:
        run_workers(workers(tmp_path, text, 1, 1), lambda done: None)
    assert len(str(said.value)) < 600


def test_interrupt_ends_every_worker(tmp_path, started):
    def interrupt(done: int) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run_workers(workers(tmp_path, "exec sleep 60", 3, 6), interrupt)
    assert nothing_runs(started, 3)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_while_a_worker_starts(tmp_path, started, monkeypatch, number):
    start = Worker.start

    def start_and_interrupt(self: Worker) -> subprocess.Popen:
        process = start(self)
        os.kill(os.getpid(), number)
        return process

    monkeypatch.setattr(Worker, "start", start_and_interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_workers(workers(tmp_path, "exec sleep 60", 2, 2), lambda done: None)
    assert nothing_runs(started, 1)


# The reference's own files.


def reference(tmp_path: Path, text: str) -> Path:
    script(REFERENCE.path(tmp_path / "hls"), text)
    (tmp_path / "hls" / "firmware").mkdir()
    return tmp_path / "hls"


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_reference_results_come_back_in_order(tmp_path, count):
    seen = []
    project = reference(tmp_path, ECHO)
    codes = simulate_reference(project, tmp_path / "work", pixels(5), expected(5), seen.append, workers=count)
    assert codes.dtype == np.int64 and np.array_equal(codes, expected(5)) and seen[-1] == 5


def test_reference_workers_get_their_images(tmp_path):
    simulate_reference(reference(tmp_path, ECHO), tmp_path / "work", pixels(3), expected(3), workers=2)
    second = np.loadtxt(tmp_path / "work" / "worker1" / "tb_data" / "tb_input_features.dat")
    assert np.array_equal(second, pixels(3)[2].reshape(-1))


def test_reference_failure_names_the_image(tmp_path):
    text = f"{ECHO}; [ $(basename $PWD) = worker1 ] || exit 0; head -1 tb_data/tb_output_predictions.dat > r; "
    project = reference(tmp_path, text + "mv r tb_data/csim_results.log; exit 3")
    with pytest.raises(InputError, match="ended with 3 at image 4: no message"):
        simulate_reference(project, tmp_path / "work", pixels(6), expected(6), workers=2)


def test_trace_is_in_the_order_of_the_workers(tmp_path):
    for index in range(11):
        (tmp_path / f"worker{index}" / "tb_data").mkdir(parents=True)
        np.savetxt(tmp_path / f"worker{index}" / "tb_data" / "layer_output.log", np.full((1, 4), index))
    assert read_trace(tmp_path, "layer", (2, 2))[:, 1, 1].tolist() == list(range(11))


def test_vectors_are_one_image_a_line(tmp_path):
    write_vectors(tmp_path / "tb", pixels(2), expected(2))
    lines = (tmp_path / "tb" / "tb_input_features.dat").read_text().splitlines()
    assert [int(value) for value in lines[1].split()] == pixels(2)[1].reshape(-1).tolist()
    assert np.array_equal(np.loadtxt(tmp_path / "tb" / "tb_output_predictions.dat"), expected(2))


# The fast simulation's own files; its program gets images, results, bytes of an image, first and count.


def native(tmp_path: Path, text: str) -> Path:
    script(NATIVE.path(tmp_path / "hls"), text)
    return tmp_path / "hls"


def test_native_short_output(tmp_path):
    text = "head -c $((8 * ($5 - ($4 > 0)))) /dev/zero > $2; echo 1000"
    with pytest.raises(InputError, match="gave 2 of 3 results from image 3 on"):
        simulate_native(native(tmp_path, text), tmp_path / "work", pixels(6), 2, workers=2)


def test_native_reports_the_largest_memory(tmp_path):
    text = "head -c $((8 * $5)) /dev/zero > $2; echo $((1000 + $4))"
    codes, memory = simulate_native(native(tmp_path, text), tmp_path / "work", pixels(6), 2, workers=3)
    assert memory == 1004 and codes.shape == (6, 2) and codes.dtype == np.int64


def test_native_forgets_an_earlier_run(tmp_path):
    """Results of before are no results of now."""
    project = native(tmp_path, "head -c $((8 * $5)) /dev/zero > $2; echo 1")
    simulate_native(project, tmp_path / "work", pixels(6), 2, workers=2)
    native(tmp_path, "exit 0")
    with pytest.raises(InputError, match=r"gave 0 of 3 results from image [03] on"):
        simulate_native(project, tmp_path / "work", pixels(6), 2, workers=2)
