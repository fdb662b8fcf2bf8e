"""What the runtime shares of the world outside: one module per outside thing."""
