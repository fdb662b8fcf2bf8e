"""Is one index generation as good as another? Golden sets, metrics, the gate, probes, reports, and triggers of drift.

It reads the query API with the generation pinned, and writes nothing: what it finds is evidence for the controller.
"""
