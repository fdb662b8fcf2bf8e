"""Anchors: a Kafka topic, a folder, an object store, a witness."""
