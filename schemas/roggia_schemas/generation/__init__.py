"""Generators: Python classes and AsyncAPI out of the schemas. Used by `roggia_schemas.generate` alone."""
