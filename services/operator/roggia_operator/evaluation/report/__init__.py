"""The report of an evaluation: values and JSON, and a page for people."""
