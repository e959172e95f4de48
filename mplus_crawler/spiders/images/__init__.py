"""Images: which of a feed may be fetched, and where they are kept."""
