"""A Kafka-protocol broker and a schema registry for one machine: development and tests only."""
