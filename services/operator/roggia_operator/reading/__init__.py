"""Looking into topics: the newest records, one by its place, decoded where they can be."""
