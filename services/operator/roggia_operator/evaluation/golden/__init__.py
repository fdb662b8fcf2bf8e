"""Golden sets: questions with the documents that answer them. One JSONL file each, and the builders that make them."""
