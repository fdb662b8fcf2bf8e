"""What the controller's ports are in production: Kafka, the index service, files."""
