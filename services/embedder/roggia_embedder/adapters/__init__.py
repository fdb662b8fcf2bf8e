"""The outside world behind the ports: models, caches, vector stores, catalogues."""
