"""What the doctor finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One line: what was looked at, what was found, and the cure where something is wrong."""

    what: str
    found: str
    cure: str = ""

    @property
    def healthy(self) -> bool:
        """Whether nothing needs to be done."""
        return not self.cure

    def __str__(self) -> str:
        mark = "ok   " if self.healthy else "FAIL "
        line = f"{mark}{self.what}: {' '.join(self.found.split())}"
        return line if self.healthy else f"{line}\n     cure: {self.cure}"
