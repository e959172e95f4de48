"""Signals that end a command: Ctrl-C, SIGTERM, and SIGHUP from a terminal that is closed."""

from __future__ import annotations

import os
import signal
from typing import NoReturn

from mplus_crawler.cli.console import report
from mplus_crawler.errors import HarvestError


def stop_signals() -> tuple[signal.Signals, ...]:
    """Return the signals that end a command; not SIGHUP where it is ignored (``nohup``)."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return signal.SIGINT, signal.SIGTERM
    return signal.SIGINT, signal.SIGTERM, signal.SIGHUP


def end_with(error: HarvestError) -> None:
    """From now on, end the command with *error* on any of :func:`stop_signals`."""

    def end(*_: object) -> NoReturn:
        for number in stop_signals():
            signal.signal(number, signal.SIG_IGN)
        raise SystemExit(report(error))

    for number in stop_signals():
        signal.signal(number, end)


def hang_up_as_terminate() -> None:
    """Treat SIGHUP as SIGTERM, for which Scrapy shuts crawls down gracefully."""

    def terminate(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    if signal.SIGHUP in stop_signals():
        signal.signal(signal.SIGHUP, terminate)
