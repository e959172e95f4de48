"""A crawl from the outside: checked before it starts, run, watched, and told of in the end."""
