"""Operators' jobs on `ops.job`: what is wanted, how it stands, and the instance that runs them."""
