"""Sampled searches are asked of a second index generation as well; its answers go to the log, and nowhere else."""
