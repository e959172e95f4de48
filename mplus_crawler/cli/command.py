"""The bases of the commands: of all of them, and of those that run no spider."""

from __future__ import annotations

import argparse
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from scrapy.commands import ScrapyCommand
from scrapy.settings import BaseSettings

from mplus_crawler import program
from mplus_crawler.cli.console import run_command
from mplus_crawler.cli.home import expand_home
from mplus_crawler.cli.signals import end_with
from mplus_crawler.cli.spelling import check_spelling
from mplus_crawler.errors import HarvestError, StoppedError, UsageError


def check_options(words: Sequence[str], command: str) -> None:
    """Raise :class:`UsageError` for an option among *words*: the parser has not recognised it."""
    for word in words:
        if word.startswith("-") and len(word) > 1:
            raise UsageError(
                f"unknown option {word}; `{program()} {command} --help` lists the options"
            )


class BaseCommand(ScrapyCommand):
    """A command of this project: ``scrapy -h`` lists it, and its help names the program.

    Subclasses set ``summary``, its line in that list, and ``usage``, the text after its name.
    """

    requires_project = True
    summary: ClassVar[str]
    usage: ClassVar[str] = "[options]"

    def syntax(self) -> str:
        """Return what ``--help`` prints after the command's name."""
        return self.usage

    def short_desc(self) -> str:
        """Return the line that ``scrapy -h`` prints."""
        return self.summary

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add Scrapy's options, ``-s`` among them."""
        super().add_options(parser)
        parser.usage = (parser.usage or "").replace("scrapy", program(), 1)
        # Scrapy's makes a heading of every line that ends in a colon.
        parser.formatter_class = argparse.HelpFormatter

    @property
    def current_settings(self) -> BaseSettings:
        """The settings that Scrapy has given to the command."""
        assert self.settings is not None
        return self.settings


class ProjectCommand(BaseCommand):
    """A command that prints its result and runs no spider.

    To add one:

    1. Put a class ``Command(ProjectCommand)`` into ``cli/commands/NAME.py``. Scrapy imports all
       commands for each of them, so import what only this one needs inside its methods.
    2. Set ``summary``, the line that ``scrapy -h`` prints, and ``usage``, what follows the name;
       a ``usage`` of options only refuses arguments.
    3. Implement :meth:`execute`: print with :func:`~mplus_crawler.cli.console.print_line`, raise
       :class:`~mplus_crawler.errors.HarvestError` for what a person can fix, and return the
       exit code.
    """

    requires_crawler_process = False
    default_settings: ClassVar[dict[str, object]] = {"LOG_ENABLED": False}
    interrupted: ClassVar[HarvestError] = StoppedError("interrupted")
    """The error to report when a signal ends the command."""

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        """Execute the command and set its exit code."""
        end_with(self.interrupted)
        self.exitcode = run_command(lambda: self._execute(args, opts))

    def _execute(self, args: list[str], opts: argparse.Namespace) -> int:
        name = type(self).__module__.rpartition(".")[2]
        check_options(args, name)
        if args and self.usage == ProjectCommand.usage:
            raise UsageError(f"{program()} {name} takes options only, not {args[0]!r}")
        check_spelling(opts.set, self.current_settings)
        expand_home(self.current_settings)
        return self.execute(args, opts)

    @abstractmethod
    def execute(self, args: list[str], opts: argparse.Namespace) -> int:
        """Do the work and return the exit code; may raise HarvestError."""
