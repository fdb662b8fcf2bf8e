"""Evaluation's ways to the outside: the query API over HTTP, topics of Kafka."""
