"""Kafka protocol messages to and from bytes; nothing here knows what a message means."""
