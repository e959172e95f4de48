"""Feeds: files that come out whole or not at all, their certificate last, and what is owed for them."""
