"""Transparency log: a Merkle tree, its proofs, and the notes that are signed over it. Knows no records, no database.

Sources: RFC 6962 and RFC 9162 (tree, proofs), C2SP signed-note, tlog-checkpoint, tlog-tiles, tlog-cosignature,
tlog-witness and tlog-proof.
"""
