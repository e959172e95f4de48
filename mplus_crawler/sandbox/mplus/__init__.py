"""A local M+: its GraphQL API over real records, with its swallowed errors and mixed-up cache."""
