"""Spiders of M+: its API and its published data set."""
