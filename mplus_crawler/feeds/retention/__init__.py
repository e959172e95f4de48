"""Retention: where content went, when it is due, and deleting it.

A museum whose policy has ``retention_days`` wants its content refreshed or deleted by then.
"""
