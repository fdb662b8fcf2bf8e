"""Helpers that tests of several packages share: private servers and their fixtures."""
