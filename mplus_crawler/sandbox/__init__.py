"""Two local museums that behave as Design Museum Gent's and M+'s APIs do, faults included."""
