"""Signals that ask a program to end; all of them let it tidy up first, as Ctrl-C does."""

from __future__ import annotations

import signal
import threading

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, the wish of another process, and the end of the terminal."""


def interrupt_on_signals() -> None:
    """Let every signal of :data:`STOPPING` raise KeyboardInterrupt.

    One that is ignored, as SIGHUP is by nohup, stays so.
    """
    if threading.current_thread() is not threading.main_thread():
        return  # Python handles signals in the main thread only
    for number in STOPPING:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
