"""Images of the objects in a feed, in the order of processing:

``permission`` (what a record states about its images' licences) → ``queue`` (the images that may
be downloaded, by host) → ``spider`` → ``pipeline`` → ``formats`` (is it an image?) → ``store``
(files by hash, with their rights).
"""
