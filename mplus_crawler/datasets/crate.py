"""``ro-crate-metadata.json``: RO-Crate 1.2.

https://w3id.org/ro/crate/1.2
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mplus_crawler import __version__
from mplus_crawler.datasets.description import (
    CRATE,
    PACKAGE_CERTIFICATE,
    Description,
    PackageFile,
)
from mplus_crawler.datasets.snapshots import Snapshot

_PROFILE = "https://w3id.org/ro/crate/1.2"
_SOFTWARE = "#mplus_crawler"
_MUSEUM = "#museum"
_CERTIFICATE = "Certificate of this package: size and SHA-256 of every other file, sealed."


def crate(package: Description) -> dict[str, Any]:
    """Return the document that describes *package* with all of its files."""
    return {"@context": f"{_PROFILE}/context", "@graph": list(_entities(package))}


def _entities(package: Description) -> Iterator[dict[str, Any]]:
    yield {
        "@id": CRATE,
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": {"@id": _PROFILE},
    }
    paths = [*(file.path for file in package.files), PACKAGE_CERTIFICATE]
    yield {
        "@id": "./",
        "@type": "Dataset",
        "name": package.title,
        "description": package.summary,
        "datePublished": package.created,
        "version": package.version,
        "license": {"@id": package.licence_url},
        "author": {"@id": _MUSEUM},
        "publisher": {"@id": _MUSEUM},
        "url": package.address,
        "creditText": package.policy["attribution"],
        "hasPart": [{"@id": path} for path in paths],
        "mentions": [{"@id": _action_id(one)} for one in package.snapshots],
        **({"expires": package.expires} if package.expires else {}),
    }
    yield from _context(package)
    yield from (_file(file) for file in package.files)
    yield {
        "@id": PACKAGE_CERTIFICATE,
        "@type": "File",
        "name": PACKAGE_CERTIFICATE,
        "description": _CERTIFICATE,
        "encodingFormat": "application/json",
    }
    yield from (_action(one) for one in package.snapshots)


def _context(package: Description) -> Iterator[dict[str, Any]]:
    """Yield the licence, the museum and the software."""
    yield {
        "@id": package.licence_url,
        "@type": "CreativeWork",
        "name": package.policy["licence"],
        "description": f"Licence of the data. Terms of use: {package.policy['terms']}",
    }
    yield {
        "@id": _MUSEUM,
        "@type": "Organization",
        "name": package.source,
        "url": package.address,
        "contactPoint": {"@id": "#contact"},
    }
    contact = package.policy["contact"]
    yield {
        "@id": "#contact",
        "@type": "ContactPoint",
        "contactType": "data",
        "identifier": contact,
        ("email" if "@" in contact else "url"): contact,
    }
    yield {
        "@id": _SOFTWARE,
        "@type": "SoftwareApplication",
        "name": "mplus_crawler",
        "softwareVersion": __version__,
        "url": "https://pypi.org/project/mplus-crawler/",
    }


def _file(file: PackageFile) -> dict[str, Any]:
    return {
        "@id": file.path,
        "@type": "File",
        "name": file.path,
        "description": file.description,
        "encodingFormat": file.media_type,
        "contentSize": str(file.bytes),
        "sha256": file.sha256,
    }


def _action_id(snapshot: Snapshot) -> str:
    return f"#harvest-{snapshot.kind.spider}"


def _action(snapshot: Snapshot) -> dict[str, Any]:
    """Return the harvest that made *snapshot*."""
    certificate = snapshot.certificate
    return {
        "@id": _action_id(snapshot),
        "@type": "CreateAction",
        "name": f"Harvest of {snapshot.kind.table}, run {certificate['run']}",
        "description": f"{certificate['verdict']}: {certificate['reason']}",
        "startTime": certificate["started_at"],
        "endTime": certificate["finished_at"],
        "instrument": {"@id": _SOFTWARE},
        "object": {"@id": "#museum"},
        "result": {"@id": f"certificates/{snapshot.kind.spider}.certificate.json"},
    }
