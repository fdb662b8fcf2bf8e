"""What is asked for most: scores of documents that halve with time, counted from `retrieval.served`."""
