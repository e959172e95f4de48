"""Harvesting by GraphQL: questions, the calls that carry them, and what is still to be asked.

Ids are listed first, then records are asked for by id: so no row that moves between pages can be
missed, and a record that breaks its page is found by name. :mod:`.roll` lists, :mod:`.walk`
decides what to ask next; both know nothing of the network. :mod:`.calls` puts questions into
one call, by :mod:`.composition`, and reads its answer.
"""
