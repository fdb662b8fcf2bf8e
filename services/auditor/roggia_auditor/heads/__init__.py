"""The head log: a small log whose newest leaf says how far every other log is, and every tenant in them."""
