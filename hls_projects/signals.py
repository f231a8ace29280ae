"""Signals that end a program, and what happens before they do."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, the wish of another process, and the end of the terminal."""


def interrupt_on_signals() -> None:
    """Let every signal of :data:`STOPPING` end the program as Ctrl-C does, so that it tidies up first.

    A signal that is ignored, as SIGHUP by nohup, stays so; other threads than the main one cannot set handlers.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for number in STOPPING:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Delay the signals of :data:`STOPPING` until a process that is started here is recorded, and so can be ended."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python delivers signals to the main thread only
        return
    held: list[int] = []
    # A signal that is ignored, as SIGHUP by nohup, stays so.
    numbers = [number for number in STOPPING if signal.getsignal(number) != signal.SIG_IGN]
    handlers = [signal.signal(number, lambda number, frame: held.append(number)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, handlers, strict=True):
            signal.signal(number, handler)
    if held:
        raise KeyboardInterrupt
