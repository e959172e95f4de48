"""Feeds: files that come out whole or not at all, the certificate last of them."""
