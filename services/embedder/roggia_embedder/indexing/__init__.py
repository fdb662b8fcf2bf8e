"""The upsert role's domain: what an event means for which collection, and the protocol that writes it."""
