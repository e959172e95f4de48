"""Facts about the museums that the sandbox imitates, read from data files."""
