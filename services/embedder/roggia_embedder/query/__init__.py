"""The query role: searches an index and answers from it over HTTP. `api` holds the wire types and imports no model."""
