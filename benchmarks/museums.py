"""Museums that change from day to day, for random histories: Gent, M+'s API, M+'s releases."""

from __future__ import annotations

import json
import random
import shutil
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, ClassVar

from mplus_crawler.sandbox.app import Sandbox
from tests.conftest import Scrapy, limit
from tests.fixtures.mplus import PUBLISHED
from tests.sandbox.wire import get


class Museum(ABC):
    """A museum that changes: *spiders* harvest it; *listed* and *gone* are its truth."""

    spiders: ClassVar[tuple[str, ...]]
    command: tuple[str, ...]

    def __init__(self, dice: random.Random, counts: Counter[str]) -> None:
        self.dice = dice
        self.counts = counts
        self.gone: set[str] = set()
        self.day = 0

    @abstractmethod
    def open(self, scrapy: Scrapy) -> AbstractContextManager[None]:
        """Serve the museum to *scrapy*."""

    def next_day(self) -> None:
        """Let a day pass."""
        self.day += 1

    @abstractmethod
    def disturb(self) -> None:
        """Make some requests fail."""

    @abstractmethod
    def recover(self) -> None:
        """End all disturbances."""

    @abstractmethod
    def listed(self, spider: str) -> set[str]:
        """Return the ids that the museum lists today."""

    def says_gone(self, line: dict[str, Any]) -> bool:
        """Whether the museum has the record of a *line* no more."""
        return line["id"] in self.gone


class Gent(Museum):
    """Design Museum Gent in the sandbox."""

    spiders = ("objects", "agents", "exhibitions", "concepts")
    command = ("harvest", "dmg")
    kinds = ("", "", "not found", "database", "empty", "short", "lost", "errors")

    @contextmanager
    def open(self, scrapy: Scrapy) -> Iterator[None]:
        """Serve the museum to *scrapy*."""
        sizes = {"objects": 60, "agents": 30, "exhibitions": 24, "concepts": 24}
        seed = self.dice.randrange(1000)
        with Sandbox(**sizes, seed=seed, invalid=0, limits="off", rights=0.5) as self.sandbox:
            scrapy.at(self.sandbox).policy(limit(1_000_000, 1) + limit(1_000_000, 1, "single"))
            yield

    def next_day(self) -> None:
        """Move the sandbox, and note what has gone."""
        super().next_day()
        self.sandbox.move_to(self.day)
        for spider in self.spiders:
            changes = self.sandbox.truth(day=self.day)[spider]["changes"]
            self.gone |= {*changes["removed"], *changes["missing"], *changes["moved"]}

    def disturb(self) -> None:
        """Disturb each collection in its way."""
        for spider in self.spiders:
            kind = self.dice.choice(self.kinds)
            self.counts[f"fault: {kind or 'none'}"] += 1
            for fault in self._faults(kind, spider, spider.removesuffix("s")):
                self.sandbox.fault(fault)

    def _faults(self, kind: str, many: str, one: str) -> list[str]:
        return {
            "not found": [f"status:code=404,path={one},times=always"],
            "database": [f"database:path={one},times=always"],
            "empty": [
                f"total:path={many},value=0,times=always",
                f"empty_page:path={many},times=always",
            ],
            "short": [f"short:path={many},rows=2,times=always"],
            "lost": [f"status:code=404,path={many},page=2,times=always"],
            "errors": [f"status:code=503,path={many},times=2", f"truncate:path={many},times=1"],
        }.get(kind, [])

    def recover(self) -> None:
        """Clear all faults."""
        self.sandbox.clear()

    def listed(self, spider: str) -> set[str]:
        """Return the ids of the truth."""
        return {*self.sandbox.truth(day=self.day)[spider]["ids"]}

    def says_gone(self, line: dict[str, Any]) -> bool:
        """Whether it is gone; some merged records are listed all the time, and redirect."""
        if super().says_gone(line):
            return True
        self.recover()
        path = line["id"].partition("/v2/")[2]
        return get(self.sandbox, path).status in (301, 410)


class Mplus(Museum):
    """M+'s API in the sandbox."""

    spiders = ("mplus_objects", "mplus_constituents", "mplus_exhibitions")
    command = ("harvest", "mplus")
    faults = (
        "status:code=503,times=2",
        "truncate:times=1",
        "total:root={},times=always",
        "crosstalk:root={},times=2",
        "status:code=504,times=3",
        "html:times=2",
    )

    @contextmanager
    def open(self, scrapy: Scrapy) -> Iterator[None]:
        """Serve the museum to *scrapy*."""
        sizes = dict.fromkeys(("objects", "agents", "exhibitions", "concepts"), 1)
        with Sandbox(**sizes, seed=self.dice.randrange(1000), limits="off") as self.sandbox:
            scrapy.environment |= {"MPLUS_URL": self.sandbox.mplus_url, "MPLUS_API_KEY": "any"}
            scrapy.policy(limit(1_000_000, 1, "calls"), "mplus")
            yield

    def next_day(self) -> None:
        """Move the sandbox, and note what is no longer listed: that is all the API shows."""
        super().next_day()
        self.sandbox.move_to(self.day)
        for root in self.sandbox.truth("mplus", day=self.day).values():
            changes = root["changes"]
            left = (*changes["removed"], *changes["missing"], *changes["unlisted"])
            self.gone |= {str(id_) for id_ in (*left, *changes["moved"])}

    def disturb(self) -> None:
        """Disturb some calls."""
        for fault in self.dice.sample(self.faults, self.dice.choice((0, 1, 2))):
            root = self.dice.choice(("objects", "constituents", "exhibitions"))
            self.sandbox.fault(fault.format(root), "mplus")
            self.counts[f"fault: M+ {fault.partition(':')[0]}"] += 1

    def recover(self) -> None:
        """Clear all faults, and the responses that the museum keeps for ten minutes."""
        self.sandbox.clear()
        self.sandbox.reset()

    def listed(self, spider: str) -> set[str]:
        """Return the ids of the truth."""
        root = self.sandbox.truth("mplus", day=self.day)[spider.removeprefix("mplus_")]
        return {str(id_) for id_ in root["ids"]}


class Releases(Museum):
    """M+'s published data set: a folder of which each day is a release."""

    spiders = ("mplus_open_objects",)

    @contextmanager
    def open(self, scrapy: Scrapy) -> Iterator[None]:
        """Make the first release."""
        self._folder = scrapy.folder / "set"
        shutil.copytree(PUBLISHED, self._folder)
        self._files = {str(int(file.stem)): file for file in self._all()}
        self._list(self._files)
        self.command = ("crawl", *self.spiders, "-a", f"source={self._folder}")
        yield

    def _all(self) -> list[Path]:
        return sorted(self._folder.glob("objects_JSON/*/*.json"))

    def _list(self, ids: Iterable[str]) -> None:
        lines = ["id", *sorted(ids, key=int)]
        (self._folder / "objects.csv").write_text("\n".join(lines) + "\n")

    def next_day(self) -> None:
        """Release the set again: a record may be gone, back or edited."""
        super().next_day()
        id_, file = self.dice.choice([*self._files.items()])
        change = self.dice.choice(("remove", "back", "edit"))
        here = {str(int(each.stem)) for each in self._all()}
        if change == "edit" and file.exists():
            record = json.loads(file.read_text())
            file.write_text(json.dumps(record | {"edition": str(self.day)}))
        elif change == "back" or id_ not in here:
            shutil.copy(PUBLISHED / file.relative_to(self._folder), file)
        elif len(here) > 8:
            file.unlink()
            self.gone.add(id_)
        self._list(self.listed(""))

    def disturb(self) -> None:
        """Leave out a listed record, or the list."""
        kind = self.dice.choice(("", "", "lost", "empty list"))
        self.counts[f"fault: release {kind or 'none'}"] += 1
        if kind == "lost":
            self._list([*self.listed(""), "99999"])
        elif kind == "empty list":
            self._list([])

    def recover(self) -> None:
        """Write a list of the records that are present."""
        self._list(self.listed(""))

    def listed(self, spider: str) -> set[str]:
        """Return the ids of the files."""
        return {str(int(file.stem)) for file in self._all()}
