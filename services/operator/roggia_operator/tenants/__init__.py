"""Tenants: apply, list, offboard."""
