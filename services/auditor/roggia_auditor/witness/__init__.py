"""A small witness (C2SP tlog-witness): it signs a log's checkpoint only if it continues the last one that it signed.

Run by somebody else than the log's operator, on another machine: `python -m roggia_auditor.witness`. An operator who
rewrites history, with the log's own key, cannot have it signed.
"""
