"""Index generations inside the embedder: hosting them, and what shortens their filling."""
