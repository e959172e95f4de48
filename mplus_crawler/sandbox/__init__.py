"""A local museum that behaves like Design Museum Gent's API v2, faults included."""
