"""Budgets in one SQLite file, shared by the processes of a host."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from mplus_crawler.museum.policies.policy import Limit
from mplus_crawler.wire.budget.budget import (
    PROBE_SECONDS,
    STRETCH,
    Account,
    Grant,
    Quota,
    RateLimits,
    Usage,
)
from mplus_crawler.wire.budget.clock import boot, uptime
from mplus_crawler.wire.budget.file import BudgetFile

# Seconds that ``scrapy budget`` waits for other processes.
_PATIENT = 1.0


class SqliteBudget:
    """Budgets in the SQLite file *path*; *uptime* and *wall* are clocks in seconds."""

    remote: ClassVar[bool] = False

    def __init__(
        self,
        path: Path,
        *,
        uptime: Callable[[], float] = uptime,
        wall: Callable[[], float] = time.time,
        boot: Callable[[], str] = boot,
    ) -> None:
        self._file = BudgetFile(path, self._rehearse, uptime=uptime, wall=wall, boot=boot)

    def reserve(self, account: Account, who: str = "") -> Grant:
        """See :class:`~mplus_crawler.wire.budget.budget.Budget`."""
        with self._file.transaction() as (db, now):
            wait = max(
                self._backs_off(db, account, now),
                *(
                    self._full(db, account.key, limit.requests, limit.seconds, now)
                    for limit in account.limits
                ),
            )
            if wait > 0:
                db.execute(
                    "INSERT OR REPLACE INTO waiting VALUES (?, ?, ?)",
                    (account.key, who or str(os.getpid()), now + wait),
                )
                return Grant(None, wait)
            return Grant(self._spend(db, account, now, who))

    def hold(self, account: Account, ticket: int) -> None:
        """See :class:`~mplus_crawler.wire.budget.budget.Budget`."""
        with self._file.transaction() as (db, now):
            _count(db, account, ticket, now, STRETCH)

    def settle(self, account: Account, ticket: int, stated: RateLimits) -> None:
        """See :class:`~mplus_crawler.wire.budget.budget.Budget`."""
        with self._file.transaction() as (db, now):
            _count(db, account, ticket, now, 1.0)
            windows = [limit.seconds for limit in account.limits]
            for seconds, quota in stated.by_window(windows).items():
                self._tighten(db, account, seconds, quota, now)
            if stated.back_off is not None:
                self._back_off(db, account.key, now + stated.back_off)
            else:
                db.execute(
                    "DELETE FROM back_off WHERE account = ? AND until <= ?", (account.key, now)
                )

    def usage(self) -> Sequence[Usage]:
        """See :class:`~mplus_crawler.wire.budget.budget.Budget`."""
        self._file.wait_at_most(_PATIENT)
        with self._file.transaction() as (db, now):
            rows = db.execute(
                "SELECT w.account, w.seconds, w.requests, count(s.ticket), max(s.expires),"
                " coalesce((SELECT until FROM back_off WHERE account = w.account), 0)"
                " FROM window w LEFT JOIN spent s ON s.account = w.account"
                " AND s.seconds = w.seconds AND s.expires > ?"
                " GROUP BY w.account, w.seconds ORDER BY w.account, w.seconds",
                (now,),
            ).fetchall()
            waiting = db.execute(
                "SELECT account, who FROM waiting WHERE until > ?", (now - 1,)
            ).fetchall()
        return [
            Usage(
                key=key,
                window=seconds,
                limit=requests,
                used=used,
                resets_in=max(0.0, (last or now) - now),
                backs_off_for=max(0.0, until - now),
                waiting=tuple(who for account, who in waiting if account == key),
            )
            for key, seconds, requests, used, last, until in rows
        ]

    def close(self) -> None:
        """See :class:`~mplus_crawler.wire.budget.budget.Budget`."""
        self._file.close()

    def _full(
        self, db: sqlite3.Connection, key: str, requests: int, seconds: float, now: float
    ) -> float:
        """Return seconds until this window has room for one more request; 0 if it has."""
        ceiling, until = db.execute(
            "SELECT ceiling, until FROM window WHERE account = ? AND seconds = ?", (key, seconds)
        ).fetchone() or (None, 0.0)
        used = db.execute(
            "SELECT count(*) FROM spent WHERE account = ? AND seconds = ? AND expires > ?",
            (key, seconds, now),
        ).fetchone()[0]
        wait = 0.0
        if used >= requests:
            wait = _nth_expiry(db, key, seconds, now, used - requests) - now
        if ceiling is not None and now < until and _rows(db, key, seconds) >= ceiling:
            wait = max(wait, until - now)
        return wait

    def _backs_off(self, db: sqlite3.Connection, account: Account, now: float) -> float:
        """Return seconds until the back-off ends, or to wait for its probe; 0 without one."""
        row = db.execute(
            "SELECT until, probe FROM back_off WHERE account = ?", (account.key,)
        ).fetchone()
        if row is None:
            return 0.0
        until, probe = row
        if now < until:
            return float(until - now)
        if probe is not None and now < probe + PROBE_SECONDS:
            return min(0.1, float(probe + PROBE_SECONDS - now))
        return 0.0

    def _spend(self, db: sqlite3.Connection, account: Account, now: float, who: str) -> int:
        ticket = db.execute("INSERT INTO ticket DEFAULT VALUES").lastrowid
        assert ticket is not None
        db.execute("DELETE FROM ticket WHERE number < ?", (ticket,))
        for limit in account.limits:
            window = (account.key, limit.seconds)
            expired = db.execute(
                "DELETE FROM spent WHERE account = ? AND seconds = ? AND expires <= ?",
                (*window, now),
            ).rowcount
            # A request that expires here still counts at the server until its window ends.
            db.execute(
                "UPDATE window SET ceiling = ceiling - ? WHERE account = ? AND seconds = ?",
                (expired, *window),
            )
            db.execute(
                "INSERT INTO window VALUES (?, ?, ?, NULL, 0)"
                " ON CONFLICT DO UPDATE SET requests = excluded.requests",
                (*window, limit.requests),
            )
        _count(db, account, ticket, now, STRETCH)
        db.execute("UPDATE back_off SET probe = ? WHERE account = ?", (now, account.key))
        db.execute(
            "DELETE FROM waiting WHERE account = ? AND who = ?",
            (account.key, who or str(os.getpid())),
        )
        return ticket

    def _tighten(
        self, db: sqlite3.Connection, account: Account, seconds: float, quota: Quota, now: float
    ) -> None:
        """Apply a server's count that is lower than ours: other clients share the limit.

        Our count may include requests that the server has not received yet, so the ceiling is
        too high at first and becomes exact as responses arrive. So does the end of the window:
        servers round it up to whole seconds, and the earliest that they have stated counts.
        """
        used = _rows(db, account.key, seconds)
        db.execute(
            "UPDATE window SET ceiling = CASE WHEN until > ?1 THEN min(ceiling, ?2) ELSE ?2 END,"
            " until = CASE WHEN until > ?1 THEN min(until, ?3) ELSE ?3 END"
            " WHERE account = ?4 AND seconds = ?5",
            (now, quota.remaining + used, now + min(quota.reset, seconds), account.key, seconds),
        )

    def _back_off(self, db: sqlite3.Connection, key: str, until: float) -> None:
        db.execute(
            "INSERT INTO back_off VALUES (?, ?, NULL) ON CONFLICT DO UPDATE"
            " SET until = max(until, excluded.until), probe = NULL",
            (key, until),
        )

    def _rehearse(self, db: sqlite3.Connection, now: float) -> None:
        """Write a request, to be rolled back."""
        self._spend(db, Account("", (Limit(1, 1.0),)), now, "")


def _count(
    db: sqlite3.Connection, account: Account, ticket: int, now: float, windows: float
) -> None:
    """Let *ticket* count for *windows* windows from *now*."""
    db.executemany(
        "INSERT OR REPLACE INTO spent VALUES (?, ?, ?, ?)",
        [
            (account.key, limit.seconds, ticket, now + limit.seconds * windows)
            for limit in account.limits
        ],
    )


def _rows(db: sqlite3.Connection, key: str, seconds: float) -> int:
    """Return the number of stored requests, expired or not; ceilings refer to it."""
    counted = "SELECT count(*) FROM spent WHERE account = ? AND seconds = ?"
    return int(db.execute(counted, (key, seconds)).fetchone()[0])


def _nth_expiry(db: sqlite3.Connection, key: str, seconds: float, now: float, offset: int) -> float:
    row = db.execute(
        "SELECT expires FROM spent WHERE account = ? AND seconds = ? AND expires > ?"
        " ORDER BY expires LIMIT 1 OFFSET ?",
        (key, seconds, now, offset),
    ).fetchone()
    return float(row[0])
