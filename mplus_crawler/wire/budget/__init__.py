"""Politeness: the budget of each tier, what the server says of it, and the only code that waits."""
