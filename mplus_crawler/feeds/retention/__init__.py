"""How long content may be kept: where it went, when it is due, and taking it away.

A museum whose policy has ``retention_days`` wants its content refreshed or gone by then.
"""
