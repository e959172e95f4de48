"""Design Museum Gent: the spiders of its API."""
