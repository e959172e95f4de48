"""The contract between the runtime and the spiders of a museum."""
