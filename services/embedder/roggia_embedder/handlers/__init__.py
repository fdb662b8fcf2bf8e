"""What the consumer loop calls: the embed role and the upsert role, one handler each."""
