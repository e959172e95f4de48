"""Where budgets are kept: ``BUDGET_URL`` to a store."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

import platformdirs

from mplus_crawler.errors import UsageError
from mplus_crawler.wire.budget.budget import Budget
from mplus_crawler.wire.budget.redis import RedisBudget
from mplus_crawler.wire.budget.sqlite import SqliteBudget


def open_budget(url: str | None) -> Budget:
    """The store that *url* names; without one, a file that every process of this user shares.

    Raises :class:`UsageError` on a URL of no known kind and
    :class:`.BudgetUnavailableError` on a store that cannot be used.
    """
    if not url:
        return SqliteBudget(Path(platformdirs.user_state_dir("mplus_crawler")) / "budget.sqlite")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UsageError(f"BUDGET_URL is no URL: {error}") from None
    if parts.scheme == "sqlite" and not parts.netloc and len(parts.path) > 1:
        # As SQLAlchemy writes them: three slashes and a relative path, four and an absolute one.
        return SqliteBudget(Path(unquote(parts.path[1:])))
    if parts.scheme in ("redis", "rediss") and parts.hostname:
        return RedisBudget(url)
    raise UsageError(
        f"BUDGET_URL names no known store ({parts.scheme or 'no'} scheme); "
        "write sqlite:///FILE or redis://HOST/0"
    )
