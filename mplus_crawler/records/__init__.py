"""Records between response and feed: batches, item classes, rights."""
