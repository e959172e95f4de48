"""Change feeds: what differs between a snapshot and the one that it replaces.

``HARVEST_DIR/changes/<spider>/<run>.jsonl`` has a header line, then one line per change. The feeds
of a spider form a chain from its first snapshot: applied in order to an empty ``{id: digest}``,
they give the content of each snapshot in turn.
"""
