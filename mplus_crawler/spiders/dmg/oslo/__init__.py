"""Version 1 of Gent's API: JSON-LD in the terms of OSLO, the Flemish standard, and its pages."""
