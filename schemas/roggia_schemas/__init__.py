"""Event contracts of Roggia: schemas, typed events, codec, names and topics. Imports nothing else of Roggia."""
