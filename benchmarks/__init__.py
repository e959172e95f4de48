"""What a harvest costs, measured against a museum on loopback."""
