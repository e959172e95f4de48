"""Packages made from certified snapshots: tables, a database, and what describes them.

A package is a function of its snapshots: no museum is asked, and nothing comes from the clock.
"""
