"""Packages made from certified snapshots: tables, a database, and what describes them.

A package depends on its snapshots only: making it sends no request, and no time is taken from the
clock.
"""
