"""Storage: files and objects that are whole or not there, in a folder or in S3."""
