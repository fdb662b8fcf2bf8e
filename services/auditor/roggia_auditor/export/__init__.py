"""Exports: what a tenant, or an auditor of the whole, takes away and checks without us."""
