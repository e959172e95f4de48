"""Hydra's collections, page by page or whole: :mod:`.collections` reads a response."""
