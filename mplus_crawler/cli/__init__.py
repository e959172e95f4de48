"""The command line: the commands, what they check first, and what they print."""
