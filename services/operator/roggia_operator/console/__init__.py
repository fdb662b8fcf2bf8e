"""The operators' console, served over HTTP."""
