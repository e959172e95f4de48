"""Request budgets, shared by all processes: SQLite on one host, Redis or Valkey on several."""
