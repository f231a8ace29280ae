"""Signals that end a program: what they become, and when."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from hls_projects.signals import STOPPING, interrupt_on_signals, signals_held


@pytest.fixture(autouse=True)
def handlers() -> Iterator[list]:
    """Handlers before the test, which are there again after it."""
    before = [signal.getsignal(number) for number in STOPPING]
    yield before
    for number, handler in zip(STOPPING, before, strict=True):
        signal.signal(number, handler)


def test_handlers_are_as_before(handlers: list):
    with signals_held():
        assert all(signal.getsignal(number) != handler for number, handler in zip(STOPPING, handlers, strict=True))
    assert [signal.getsignal(number) for number in STOPPING] == handlers


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_is_held_to_the_end(number: int):
    done = False
    with pytest.raises(KeyboardInterrupt), signals_held():
        signal.raise_signal(number)
        done = True
    assert done


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_becomes_an_interrupt(number: int):
    interrupt_on_signals()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)


@pytest.mark.parametrize("hold", [False, True])
def test_an_ignored_signal_stays_ignored(hold: bool):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if hold:
        with signals_held():
            signal.raise_signal(signal.SIGHUP)
    else:
        interrupt_on_signals()
        signal.raise_signal(signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def test_another_thread_changes_nothing(handlers: list):
    found: list[list] = []

    def work() -> None:
        interrupt_on_signals()
        with signals_held():
            found.append([signal.getsignal(number) for number in STOPPING])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [handlers]
