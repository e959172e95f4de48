"""The budget store that ``BUDGET_URL`` names."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

import platformdirs

from mplus_crawler.errors import UsageError
from mplus_crawler.wire.budget.budget import Budget
from mplus_crawler.wire.budget.redis import RedisBudget
from mplus_crawler.wire.budget.sqlite import SqliteBudget


def open_budget(url: str | None) -> Budget:
    """Return the store at *url*; without a URL, a file shared by all processes of this user.

    Raise :class:`UsageError` if the URL is malformed or of an unknown kind, and
    :class:`.BudgetUnavailableError` if the store cannot be used.
    """
    if not url:
        return SqliteBudget(Path(platformdirs.user_state_dir("mplus_crawler")) / "budget.sqlite")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UsageError(f"BUDGET_URL is not a URL: {error}") from None
    if url.lower().startswith("sqlite:///") and len(parts.path) > 1:
        # As in SQLAlchemy: three slashes before a relative path, four with an absolute one.
        try:
            return SqliteBudget(Path(unquote(parts.path[1:])).expanduser())
        except RuntimeError:
            raise UsageError(f"BUDGET_URL={url}: no such user; write sqlite:///./~…") from None
    if parts.scheme in ("redis", "rediss") and parts.hostname:
        return RedisBudget(url)
    raise UsageError(
        f"BUDGET_URL has an unsupported scheme ({parts.scheme or 'none'}); "
        "use sqlite:///FILE or redis://HOST/0"
    )
