"""``croissant.json``: Croissant 1.1, for machine-learning tools.

https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html
"""

from __future__ import annotations

from typing import Any

from mplus_crawler.datasets.description import PARQUET, Description, PackageFile
from mplus_crawler.datasets.relations import KindTable
from mplus_crawler.records.tables.columns import Column

CROISSANT = "croissant.json"

_CONFORMS = "http://mlcommons.org/croissant/1.1"
_TYPES = {"integer": "sc:Integer", "number": "sc:Float", "boolean": "sc:Boolean"}
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def croissant(package: Description) -> dict[str, Any]:
    """Return the document that describes *package*: its Parquet files, a record set for each."""
    files = {file.path: file for file in package.files}
    tables = [table for table in package.tables if f"{table.name}{PARQUET}" in files]
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": _CONFORMS,
        "name": package.name,
        "alternateName": package.title,
        "description": package.summary,
        "url": package.address,
        "version": package.version,
        "datePublished": package.created,
        "license": package.licence_url,
        "citeAs": package.citation,
        "isLiveDataset": False,
        **({"expires": package.expires} if package.expires else {}),
        "creator": {"@type": "sc:Organization", "name": package.source},
        "publisher": {"@type": "sc:Organization", "name": package.source},
        "distribution": [_file(files[f"{table.name}{PARQUET}"]) for table in tables],
        "recordSet": [_record_set(table) for table in tables],
    }


def _file(file: PackageFile) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": file.path,
        "name": file.path,
        "description": file.description,
        "contentUrl": file.path,
        "contentSize": f"{file.bytes} B",
        "encodingFormat": "application/x-parquet",
        "sha256": file.sha256,
    }


def _record_set(table: KindTable) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": table.name,
        "name": table.name,
        "description": table.description,
        "key": {"@id": f"{table.name}/id"},
        "field": [_field(table.name, column) for column in table.schema],
    }


def _field(table: str, column: Column) -> dict[str, Any]:
    """Return the field of *column*; a list of objects has a field for each of their members."""
    id_ = f"{table}/{column.name}"
    source = {
        "fileObject": {"@id": f"{table}{PARQUET}"},
        "extract": {"column": column.name},
    }
    field = {
        "@type": "cr:Field",
        "@id": id_,
        "name": column.name,
        "description": column.description,
    }
    array = {"isArray": True, "arrayShape": "-1"} if column.repeats else {}
    if not column.fields:
        return field | {"dataType": _type(column), "source": source} | array
    members = [
        {
            "@type": "cr:Field",
            "@id": f"{id_}/{member.name}",
            "name": member.name,
            "description": member.description,
            "dataType": _type(member),
            "source": source | {"transform": {"jsonPath": member.name}},
            **array,
        }
        for member in column.fields
    ]
    return field | {"subField": members}


def _type(column: Column) -> str:
    return _TYPES.get(column.kind, "sc:Text")
