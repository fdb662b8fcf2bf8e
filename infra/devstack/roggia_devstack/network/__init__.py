"""TCP: connections that carry frames of the Kafka protocol."""
