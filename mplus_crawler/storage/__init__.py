"""Folders, S3 and SQLite: files are written whole or not at all."""
