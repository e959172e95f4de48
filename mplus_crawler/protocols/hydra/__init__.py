"""Hydra's collections: their pages, the chain that these make, and whether any record is missing.

:mod:`.collections` reads a page, :mod:`.chain` says which may be asked for next, and
:mod:`.reconciliation` compares ids when rows have moved meanwhile.
"""
