"""Prices: what a token of a class cost when it was used, and what an inference comes to. Integers alone, no I/O."""
