"""Responses kept on disk, and what their headers say of the API's version."""
