"""The commands. Each module parses, calls the package that does the work, and shows the result."""
