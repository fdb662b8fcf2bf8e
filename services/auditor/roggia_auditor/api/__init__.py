"""The HTTP API of the audit log: look-ups, costs, proofs, exports. It reads; what it writes is who read."""
