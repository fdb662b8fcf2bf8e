"""What the auditor tells others: where each record lies, what was used, what a budget has left, what was corrected."""
