"""The wire: where a request may go, with which key and when, and what is retried."""
