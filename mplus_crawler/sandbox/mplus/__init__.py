"""A local M+: its GraphQL API over real records, with its hidden errors and mixed-up cache."""
