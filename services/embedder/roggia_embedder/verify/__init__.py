"""Anti-entropy: the chunk sets on the log compared with the points in the collections, exactly, in bounded memory."""
