"""Tables: rows written as Parquet, SQLite, spreadsheet; each format has one module.

Types come from the JSON Schema of the rows, never from their values.
"""

from __future__ import annotations
