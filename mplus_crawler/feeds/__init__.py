"""Feeds: exporters, and a storage that keeps a file out of sight until it is whole."""
