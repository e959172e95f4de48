"""``scrapy retention``: what must be refreshed or gone, and when; and taking it away."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from scrapy.commands import ScrapyCommand

from mplus_crawler.errors import DeliveryError, ExitCode, HarvestError, UsageError, refused

if TYPE_CHECKING:
    from mplus_crawler.feeds.retention.holdings import Holding
    from mplus_crawler.feeds.retention.register import Register


class Command(ScrapyCommand):
    """List content that a museum wants refreshed or gone in time; remove what is past its date."""

    requires_project = True
    requires_crawler_process = False
    default_settings: ClassVar[dict[str, object]] = {"LOG_ENABLED": False}

    def short_desc(self) -> str:
        """As ``scrapy`` lists it."""
        return "List content that must be refreshed or deleted, and when; --purge deletes it"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """``--purge``, ``--check``, ``--at``, ``--forget``."""
        super().add_options(parser)
        one = parser.add_mutually_exclusive_group()
        one.add_argument("--purge", action="store_true", help="remove what is past its date")
        one.add_argument("--check", action="store_true", help="exit 1 if anything is past its date")
        one.add_argument(
            "--forget", metavar="PLACE", help="let go of a place that you have seen to yourself"
        )
        parser.add_argument(
            "--at",
            metavar="WHEN",
            default="+0",
            help="answer for another moment, YYYY-MM-DD[THH:MM:SS] (UTC) or +DAYS from now",
        )

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        """List, and do what is asked."""
        try:
            self._run(args, opts)
        except HarvestError as fault:
            self.exitcode = refused(fault)
        except OSError as error:
            self.exitcode = refused(DeliveryError(f"the state folder cannot be used: {error}"))

    def _run(self, args: list[str], opts: argparse.Namespace) -> None:
        # Scrapy imports every command for any of them; only this one needs these.
        from mplus_crawler.feeds.retention.register import Register
        from mplus_crawler.storage.folders import state_folder

        assert self.settings is not None
        if args:
            raise UsageError(f"scrapy retention takes options only, not {args[0]!r}")
        at = _moment(opts.at)
        with Register(state_folder(self.settings)).opened() as register:
            if register.damaged:
                _tell(register.damaged, "was a damaged register; what could be found is listed")
            if opts.forget:
                _forget(opts.forget, register)
            else:
                self._look(opts, at, register)

    def _look(self, opts: argparse.Namespace, at: datetime, register: Register) -> None:
        from mplus_crawler.feeds.retention.holdings import Search
        from mplus_crawler.feeds.retention.report import table
        from mplus_crawler.feeds.retention.terms import terms

        assert self.settings is not None
        search = Search(self.settings, terms(self.settings), register)
        found = sorted(search.holdings(), key=lambda holding: (holding.due, holding.place.uri))
        for line in table(found, at):
            print(line, flush=True)
        past = [holding for holding in found if holding.due <= at]
        for holding in found:
            if holding.fault and not (opts.purge and holding in past):
                _tell(holding.place.uri, f"cannot be reached: {holding.fault}")
        if search.blind:
            _tell("HARVEST_DIR", search.blind)
            self.exitcode = ExitCode.UNDELIVERED
        left = [holding for holding in past if not holding.is_stream] if opts.check else []
        if opts.purge:
            left = [holding for holding in past if not self._purge(holding, at, register)]
        if left:
            self.exitcode = ExitCode.FAILED

    def _purge(self, holding: Holding, at: datetime, register: Register) -> bool:
        """Whether nothing of *holding* that is past its date is left, as far as one can say."""
        from mplus_crawler.feeds.retention.purge import NotOursError, NotPurgedError, purge
        from mplus_crawler.feeds.retention.report import printable
        from mplus_crawler.storage.folders import state_folder

        assert self.settings is not None
        uri = holding.place.uri
        try:
            print(printable(f"{uri}: {purge(holding, at, register, state_folder(self.settings))}"))
        except NotOursError as told:
            _tell(uri, told)
        except NotPurgedError as told:
            _tell(uri, told)
            return False
        return True


def _forget(uri: str, register: Register) -> None:
    if uri not in register.entries:
        raise UsageError(f"nothing is known of {uri}; scrapy retention lists the places")
    register.strike(uri)


def _moment(text: str) -> datetime:
    """The moment that ``--at`` names; raises :class:`UsageError`."""
    from mplus_crawler.feeds.retention.contents import moment

    try:
        found = datetime.now(UTC) + timedelta(days=float(text)) if text[:1] == "+" else moment(text)
    except (ValueError, OverflowError):
        found = None
    if found is None:
        raise UsageError(f"--at {text} is no moment; write YYYY-MM-DD[THH:MM:SS] or +DAYS")
    return found


def _tell(what: object, told: object) -> None:
    from mplus_crawler.feeds.retention.report import printable

    print(printable(f"{what}: {told}"), file=sys.stderr, flush=True)
