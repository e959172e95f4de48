"""JSON Schemas (draft-07): one per item kind, and the one that policy files keep to.

A package only so that its files travel with the code, inside an egg too.
"""
