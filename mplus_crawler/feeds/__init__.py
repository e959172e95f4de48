"""The files of a harvest: pipelines, exporters, publication, certificate, retention."""
