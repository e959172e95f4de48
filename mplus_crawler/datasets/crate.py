"""``ro-crate-metadata.json``: RO-Crate 1.2.

https://w3id.org/ro/crate/1.2
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from mplus_crawler import __version__
from mplus_crawler.datasets.description import (
    CRATE,
    CSV,
    DATABASE,
    PARQUET,
    Description,
    PackageFile,
)
from mplus_crawler.datasets.readme import LATER_FILES
from mplus_crawler.datasets.snapshots import Snapshot
from mplus_crawler.verification.package import PACKAGE_CERTIFICATE

_PROFILE = "https://w3id.org/ro/crate/1.2"
_SOFTWARE = "#mplus_crawler"
_MUSEUM, _API = "#museum", "#api"


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
        "description": LATER_FILES[PACKAGE_CERTIFICATE],
        "encodingFormat": "application/json",
    }
    yield from (_action(one, paths) for one in package.snapshots)


def _context(package: Description) -> Iterator[dict[str, Any]]:
    """Yield the licence, the museum, its API and the software."""
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
    yield {
        "@id": _API,
        "@type": "WebAPI",
        "name": f"API of {package.source}",
        "url": package.snapshots[0].api,
    }
    contact = package.policy["contact"]
    yield {
        "@id": "#contact",
        "@type": "ContactPoint",
        "name": f"Contact of {package.source}",
        "contactType": "data",
        "identifier": contact,
        ("email" if "@" in contact else "url"): contact,
    }
    yield {
        "@id": _SOFTWARE,
        "@type": "CreativeWork",
        "name": "mplus_crawler",
        "version": __version__,
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


def _action(snapshot: Snapshot, paths: Collection[str]) -> dict[str, Any]:
    """Return the harvest that made *snapshot*, of the package with files at *paths*."""
    certificate = snapshot.certificate
    made = (f"{snapshot.kind.table}{PARQUET}", f"{snapshot.kind.table}{CSV}", DATABASE)
    return {
        "@id": _action_id(snapshot),
        "@type": "CreateAction",
        "name": f"Harvest of {snapshot.kind.table}, run {certificate['run']}",
        "description": f"{certificate['verdict']}: {certificate['reason']}",
        "startTime": certificate["started_at"],
        "endTime": certificate["finished_at"],
        "instrument": {"@id": _SOFTWARE},
        "object": {"@id": _API},
        "result": [{"@id": path} for path in made if path in paths] or {"@id": "./"},
    }
