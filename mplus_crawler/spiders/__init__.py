"""The spiders: first request, next request, items. One folder per museum."""
