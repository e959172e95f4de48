"""The guard: where requests may go, and that no secret goes anywhere else.

:mod:`.origin` holds each request to the API's own origin, :mod:`.addresses` and :mod:`.resolver`
keep what an answer names out of this network. :mod:`.credentials` puts a key on the wire,
:mod:`.redaction` strikes it out of what comes back, :mod:`.session` keeps an API's cookies.
"""
