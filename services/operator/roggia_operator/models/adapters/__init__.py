"""Registries of models."""
