"""Local servers that behave like the APIs of Design Museum Gent and M+, faults included."""
