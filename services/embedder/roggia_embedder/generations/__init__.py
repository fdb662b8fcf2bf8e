"""Index generations as the embedder sees them: which model each has, and what this process runs for it."""
