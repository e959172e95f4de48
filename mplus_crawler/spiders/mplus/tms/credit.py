"""Credit lines and web pages of records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mplus_crawler.museum.policies.policy import Policy


@dataclass(frozen=True, slots=True)
class Credit:
    """The museum's credit, the roles of those who are not makers, and web pages of records."""

    source: str
    link: str
    pages: Mapping[str, str]
    excluded_roles: frozenset[str] = frozenset()

    @classmethod
    def of(cls, policy: Policy) -> Credit:
        """Return the credit that *policy* requires."""
        roles = frozenset(map(str.casefold, policy.roles_of_others))
        return cls(policy.attribution, policy.link, policy.pages, roles)

    def excludes(self, *roles: str | None) -> bool:
        """Return whether one of *roles*, in either language, is not that of a maker."""
        return any(role.casefold() in self.excluded_roles for role in roles if role)

    def line(self, *parts: str | None) -> str:
        """Return a line with *parts*, the museum and its site."""
        every: Iterable[str | None] = (*parts, self.source, self.link)
        return ", ".join(" ".join(part.split()) for part in every if part)

    def page(self, kind: str, slug: str | None) -> str | None:
        """Return the page of a record of *kind*; None if it has none."""
        template = self.pages.get(kind)
        return template.format(slug=slug) if template and slug else None
