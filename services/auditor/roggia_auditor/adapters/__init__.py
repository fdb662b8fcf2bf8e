"""Adapters of the auditor's ports."""
