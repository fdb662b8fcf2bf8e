"""Tells alerts: on a topic, and to a webhook."""
