"""Repair of what a verification found: a replay job that renews documents, and deletions through the chunk lane."""
