"""``report.html``: one page about a museum's snapshots, for people.

The page is made from certified snapshots alone. It works without a script, and requests nothing
until a reader clicks.
"""
