"""Faults on demand: what goes wrong, for which requests, and how often."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from math import inf
from random import Random
from typing import Any

from mplus_crawler.sandbox.answers import HTML, Answer, linked_data
from mplus_crawler.sandbox.data import Shelf
from mplus_crawler.sandbox.museum import Museum, Page
from mplus_crawler.sandbox.query import leading_int
from mplus_crawler.sandbox.routes import COLLECTIONS, Place

Option = Callable[[str], Any]


def _times(text: str) -> float:
    return inf if text == "always" else int(text)


def _flag(text: str) -> bool:
    return bool(int(text))


def _moment(text: str) -> str:
    if text not in ("before", "after"):
        raise ValueError(text)
    return text


_SELECTORS: Mapping[str, Option] = {
    "tier": str,
    "path": str,
    "page": int,
    "nth": int,
    "every": int,
    "rate": float,
    "times": _times,
}

# Every kind, with its own options.
_ANSWERS: Mapping[str, Mapping[str, Option]] = {
    "status": {"code": int, "html": _flag, "retry_after": int},
    "empty": {},
    "html": {},
    "redirect": {"url": str, "code": int},
}
_PAGES: Mapping[str, Mapping[str, Option]] = {
    "short": {"rows": int},
    "empty_page": {},
    "total": {"value": int, "delta": int},
    "next_offorigin": {"url": str},
    "next_loop": {"to": int},
    "next_missing_link": {},
    "next_missing_hydra": {},
    "next_disagree": {},
    "last_gone": {},
}
_WIRE: Mapping[str, Mapping[str, Option]] = {
    "truncate": {"clean": _flag},
    "reset": {"when": _moment},
    "hang": {"seconds": float},
    "slow": {"seconds": float},
    "latency": {"seconds": float},
}
_ROWS: Mapping[str, Mapping[str, Option]] = {
    "poison": {"row": int},
    "insert": {"at": int},
    "delete": {"at": int},
}
_KINDS = {**_ANSWERS, **_PAGES, **_WIRE, **_ROWS}
_REQUIRED = {"redirect": "url", "next_offorigin": "url", "poison": "row", "slow": "seconds"}


@dataclass(slots=True)
class Fault:
    """One fault: its kind, its options, and the requests it waits for."""

    kind: str
    selectors: Mapping[str, Any]
    options: Mapping[str, Any]
    dice: Random
    seen: int = field(default=0)
    fired: int = field(default=0)

    def is_due(self, place: Place, tier: str | None) -> bool:
        """Whether this request gets the fault; asking counts the request."""
        if not self._concerns(place, tier):
            return False
        self.seen += 1
        if self.fired >= self.selectors["times"] or self.seen < self.selectors.get("nth", 1):
            return False
        if self.seen % self.selectors.get("every", 1):
            return False
        if self.dice.random() >= self.selectors.get("rate", 1):
            return False
        self.fired += 1
        return True

    def _concerns(self, place: Place, tier: str | None) -> bool:
        if self.kind in _PAGES and place.name not in COLLECTIONS:
            return False
        wanted = self.selectors
        return (
            wanted.get("tier", tier) == tier
            and wanted.get("path", place.name) == place.name
            and ("page" not in wanted or wanted["page"] == _page(place))
        )


def read_fault(spec: str, dice: Random) -> Fault:
    """Read ``kind[:key=value,…]``; ValueError, with a line for people, if it says nothing known."""
    kind, _, rest = spec.partition(":")
    if kind not in _KINDS:
        raise ValueError(f"fault: {kind!r} is none of {', '.join(sorted(_KINDS))}")
    known = {**_SELECTORS, **_KINDS[kind]}
    values: dict[str, Any] = {}
    for part in filter(None, rest.split(",")):
        name, _, text = part.partition("=")
        try:
            values[name] = known[name](text)
        except (KeyError, ValueError):
            raise ValueError(f"fault: {kind} can't read {part!r}; it knows {', '.join(known)}") from None
    if _REQUIRED.get(kind, kind) not in {kind, *values}:
        raise ValueError(f"fault: {kind} needs {_REQUIRED[kind]}=")
    repeated = kind == "latency" or values.keys() & {"every", "rate"}
    selectors = {"times": inf if repeated else 1}
    if kind in _ROWS:
        selectors["path"] = "objects"
    selectors |= {name: value for name, value in values.items() if name in _SELECTORS}
    options = {name: value for name, value in values.items() if name not in _SELECTORS}
    return Fault(kind, selectors, options, dice)


class Faults:
    """The faults in force, and what each does to the museum's rows and pages."""

    def __init__(self, museum: Museum, seed: int, specs: Iterable[str]) -> None:
        self._museum = museum
        self._seed = seed
        self._faults: list[Fault] = []
        for spec in specs:
            self.add(spec)

    def add(self, spec: str) -> None:
        """Put one more fault in force."""
        dice = Random(f"{self._seed}:{len(self._faults)}:{spec}")
        fault = read_fault(spec, dice)
        if fault.kind in _ROWS:
            shelf = self._shelf(fault)
            if fault.kind == "poison":
                shelf.poison.add(_key_at(shelf, fault.options["row"]))
        self._faults.append(fault)

    def clear(self) -> None:
        """Put all right again; rows that came or went stay as they are."""
        self._faults.clear()
        for name in COLLECTIONS:
            self._museum.shelf(name).poison.clear()

    def due(self, place: Place, tier: str | None) -> dict[str, Fault]:
        """The faults this request gets, by kind."""
        return {fault.kind: fault for fault in self._faults if fault.is_due(place, tier)}

    def move_rows(self, due: Mapping[str, Fault]) -> None:
        """Let rows appear and vanish, once the request that these faults waited for is answered."""
        for kind in due.keys() & {"insert", "delete"}:
            shelf, at = self._shelf(due[kind]), due[kind].options.get("at", 1)
            shelf.insert(at) if kind == "insert" else shelf.delete(at)
            self._museum.forget()

    def _shelf(self, fault: Fault) -> Shelf:
        name = fault.selectors["path"]
        if name not in COLLECTIONS:
            raise ValueError(f"fault: {fault.kind} knows no collection {name!r}")
        return self._museum.shelf(name)


def instead(due: Mapping[str, Fault]) -> Answer | None:
    """The answer that takes the museum's place, if a fault gives one."""
    for kind in due.keys() & _ANSWERS.keys():
        return _INSTEAD[kind](due[kind].options)
    return None


def change(page: Page, due: Mapping[str, Fault]) -> None:
    """Do to a page what these faults say."""
    for kind in due.keys() & _PAGES.keys():
        _CHANGES[kind](page, due[kind].options)


def _status(options: Mapping[str, Any]) -> Answer:
    status = HTTPStatus(options.get("code", 500))
    if options.get("html"):
        answer = _html(options, status)
    else:
        answer = linked_data(status, {"error": status.phrase})
    if "retry_after" in options:
        answer.headers["Retry-After"] = str(options["retry_after"])
    return answer


def _html(_: Mapping[str, Any], status: HTTPStatus = HTTPStatus.OK) -> Answer:
    page = f"<!DOCTYPE html><html><title>{status.phrase}</title><h1>{status.phrase}</h1></html>"
    return Answer(status, page.encode(), {"Content-Type": HTML})


def _redirect(options: Mapping[str, Any]) -> Answer:
    return linked_data(options.get("code", 302), {}, {"Location": options["url"]})


_INSTEAD: Mapping[str, Callable[[Mapping[str, Any]], Answer]] = {
    "status": _status,
    "empty": lambda _: linked_data(200, {}),
    "html": _html,
    "redirect": _redirect,
}


def _short(page: Page, options: Mapping[str, Any]) -> None:
    del page.members[max(0, len(page.members) - options.get("rows", 1)) :]


def _total(page: Page, options: Mapping[str, Any]) -> None:
    page.total = options.get("value", page.total + options.get("delta", 1))


def _next_elsewhere(page: Page, options: Mapping[str, Any]) -> None:
    page.links["next"] = page.view["hydra:next"] = options["url"]


def _next_loop(page: Page, options: Mapping[str, Any]) -> None:
    url = page.address(options.get("to", page.number))
    page.links["next"] = page.view["hydra:next"] = url


def _next_disagree(page: Page, _: Mapping[str, Any]) -> None:
    page.view["hydra:next"] = page.address(page.number + 2)


def _last_gone(page: Page, _: Mapping[str, Any]) -> None:
    page.links.pop("last", None)
    page.view.pop("hydra:last", None)


_CHANGES: Mapping[str, Callable[[Page, Mapping[str, Any]], object]] = {
    "short": _short,
    "empty_page": lambda page, _: page.members.clear(),
    "total": _total,
    "next_offorigin": _next_elsewhere,
    "next_loop": _next_loop,
    "next_missing_link": lambda page, _: page.links.pop("next", None),
    "next_missing_hydra": lambda page, _: page.view.pop("hydra:next", None),
    "next_disagree": _next_disagree,
    "last_gone": _last_gone,
}


def _page(place: Place) -> int | None:
    if place.name not in COLLECTIONS:
        return None
    given = [part[5:] for part in place.query.split("&") if part.startswith("page=")]
    return leading_int(given[0]) if given else 1


def _key_at(shelf: Shelf, row: int) -> int:
    if not 0 < row <= len(shelf.keys):
        raise ValueError(f"fault: there is no row {row} to poison")
    return shelf.keys[row - 1]
