"""The embed role's domain: which texts need a vector, in which batches they are encoded, what is emitted."""
