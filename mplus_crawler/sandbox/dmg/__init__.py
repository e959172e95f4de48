"""Design Museum Gent on the wire: version 2 of its API, and version 1 as it was."""
