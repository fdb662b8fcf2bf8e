"""From a changed document to its chunk set: extract, normalise, chunk, and keep the catalogue of versions."""
