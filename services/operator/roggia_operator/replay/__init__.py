"""Replay jobs: select, plan, run."""
