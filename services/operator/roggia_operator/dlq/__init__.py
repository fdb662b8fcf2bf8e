"""Dead letters: group, show, redrive, drop."""
