"""Corrections: what was rated by a wrong price is rated again, beside what was booked and never instead of it."""
