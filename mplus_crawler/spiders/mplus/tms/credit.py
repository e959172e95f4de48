"""Credits, ready to print, and pages for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mplus_crawler.policies.policy import Policy


@dataclass(frozen=True, slots=True)
class Credit:
    """How the museum wants to be named, and where its records can be read."""

    source: str
    link: str
    pages: Mapping[str, str]

    @classmethod
    def of(cls, policy: Policy) -> Credit:
        """The credit that *policy* asks for."""
        return cls(policy.attribution, policy.link, policy.pages)

    def line(self, *parts: str | None) -> str:
        """*parts* that are there, the museum and its site, in one line."""
        said: Iterable[str | None] = (*parts, self.source, self.link)
        return ", ".join(" ".join(part.split()) for part in said if part)

    def page(self, kind: str, slug: str | None) -> str:
        """The page of a record of *kind*; the museum's site where it has none."""
        template = self.pages.get(kind)
        return template.format(slug=slug) if template and slug else f"https://{self.link}/"
