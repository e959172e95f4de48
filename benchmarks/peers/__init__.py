"""Harvests of one museum by other tools and by this one, side by side."""
