"""The auditor: every inference becomes one record that a stranger can verify, and one exact amount."""
