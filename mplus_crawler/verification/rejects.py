"""Compares a rejected file with its certificate."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from mplus_crawler.errors import UsageError, counted
from mplus_crawler.verification.certificate import Certificate
from mplus_crawler.verification.strict_json import is_object, lines


class Rejects:
    """The rejected file of a *certificate*: its checksum, and how many records it names."""

    def __init__(self, certificate: Certificate, file: Path) -> None:
        if certificate.rejects is None:
            raise UsageError(f"{certificate.path} does not name {file}")
        self._certificate = certificate
        self._entry = certificate.rejects
        self._file = file
        self._found = 0

    @staticmethod
    def is_one(file: Path) -> bool:
        """Return whether *file* has the name of a rejected file."""
        return file.name.endswith(".rejected.jsonl")

    def differences(self) -> Iterator[str]:
        """Yield every difference from the certificate."""
        digest = hashlib.sha256()
        try:
            with self._file.open("rb") as file:
                for line in lines(file):
                    digest.update(line)
                    self._found += is_object(line)
        except OSError as error:
            yield f"cannot be read: {error.strerror or error}"
            return
        if self._found < self._certificate.named:
            yield f"{counted(self._found, 'record')}, {self._certificate.named:,} certified"
        if digest.hexdigest() != self._entry.get("sha256"):
            yield "its SHA-256 differs from the certified one: it has been changed"

    def summary(self) -> str:
        """Return a line about a file without differences."""
        verdict = self._certificate["verdict"]
        return f"{counted(self._found, 'rejected record')}, as certified ({verdict})"
