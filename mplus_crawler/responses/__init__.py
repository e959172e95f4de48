"""Saved responses: the ledger of a harvest, revalidation, lifecycle headers."""
