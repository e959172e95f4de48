"""``mplus-crawler``: the commands of the project, from any folder."""

from __future__ import annotations

import os
import pkgutil
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module

import scrapy.commands
from scrapy.cmdline import execute

from mplus_crawler import __version__, program
from mplus_crawler.cli import commands
from mplus_crawler.cli.console import print_line, run_command
from mplus_crawler.cli.spelling import closest
from mplus_crawler.errors import ExitCode, UsageError

_SETTINGS = "mplus_crawler.settings"


def main() -> None:
    """Run the command that ``sys.argv`` names, and exit with its code.

    The command is Scrapy's or the project's, and is run by Scrapy; relative paths are below the
    folder of the user.
    """
    sys.argv[0] = "mplus-crawler"
    os.environ["SCRAPY_SETTINGS_MODULE"] = _SETTINGS
    os.environ.pop("SCRAPY_PROJECT", None)  # a name in another project's scrapy.cfg
    words = sys.argv[1:]
    if words == ["--version"]:
        sys.exit(run_command(_print_version))
    if not words or words[0] in ("-h", "--help"):
        sys.exit(run_command(_print_commands))
    if not words[0].startswith("-") and words[0] not in _names(_packages()):
        sys.exit(run_command(lambda: _refuse(words[0])))
    execute()


def _print_version() -> int:
    print_line(f"mplus-crawler {__version__}")
    return ExitCode.COMPLETE


def _print_commands() -> int:
    lines = [
        f"mplus-crawler {__version__}: harvests museum collections through their public APIs",
        "",
        "usage: mplus-crawler COMMAND [options]",
        "",
    ]
    for name in _names([commands.__name__]):
        command = import_module(f"{commands.__name__}.{name}").Command()
        lines.append(f"  {name:<11} {command.short_desc()}")
    lines += ["", "`mplus-crawler COMMAND --help` describes a command. Scrapy's own also work."]
    print_line("\n".join(lines))
    return ExitCode.COMPLETE


def _refuse(word: str) -> int:
    """Raise :class:`UsageError`: *word* names no command, but perhaps a spider."""
    from scrapy.spiderloader import get_spider_loader
    from scrapy.utils.project import get_project_settings

    if word in get_spider_loader(get_project_settings()).list():
        raise UsageError(f"{word} is a spider: {program()} crawl {word}")
    known = closest(word, _names(_packages()))
    cure = f"did you mean {known}?" if known else f"`{program()} --help` lists the commands"
    raise UsageError(f"unknown command {word!r}; {cure}")


def _packages() -> Sequence[str]:
    return (commands.__name__, scrapy.commands.__name__)


def _names(packages: Iterable[str]) -> list[str]:
    """Return the names of the commands in *packages*: a module each."""
    return sorted(
        module.name
        for package in packages
        for module in pkgutil.iter_modules(import_module(package).__path__)
    )
