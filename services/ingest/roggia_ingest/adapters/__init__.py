"""Databases, content servers and worker processes behind ingest's ports."""
