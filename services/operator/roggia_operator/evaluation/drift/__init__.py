"""Triggers of drift: reasons to plan a new generation. None of them ever cuts over."""
