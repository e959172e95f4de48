"""Records on their way from a response to a feed: batches, item classes, rights."""
