"""Tests at the wire: the real command against a local museum."""
