"""Proofs by independent programs that are too heavy for every commit: ``make proofs``.

They run in an environment with these programs alone; ``proofs.packages`` runs in the project's.
"""
