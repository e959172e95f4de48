"""Harvesting from a GraphQL API: list all ids first, then request the records by id.

Records that move between pages cannot be missed this way, and a record that breaks its page is
found by its id. :mod:`.queries` are what a request can carry; :mod:`.calls` and
:mod:`.composition` put several queries into one request; :mod:`.reading` reads the response into
:mod:`.outcomes`. :mod:`.id_list` is one list of all ids and :mod:`.id_lister` makes several;
:mod:`.planner` decides what the next request carries. Only the spider knows the network.
"""
