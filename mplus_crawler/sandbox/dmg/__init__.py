"""Design Museum Gent, as it is on the wire: version 2 of its API, and version 1 while it was."""
