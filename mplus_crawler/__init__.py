"""Harvests museum collections through their public APIs."""

__version__ = "0.1.0"
