"""Prompts and answers of tenants that choose to keep them: encrypted under a key per subject, erased with that key."""
