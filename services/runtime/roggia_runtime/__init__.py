"""What every service shares: consumer loop, producer, settings, telemetry, health. Kafka clients live here alone."""
