"""The spiders: first request, next request, items."""
