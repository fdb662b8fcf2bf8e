"""From chunks to vectors, to the index, to answers: the embed, upsert and query roles."""
