"""Seeded chaos: a number fixes a workload and a schedule of faults; the log itself says what must come of them.

`plan` draws the schedule, `run` plays it on real processes, `model` computes the expected state from doc.changed as
the broker holds it, `judge` compares everything with that, `results` keeps what came out.
"""
