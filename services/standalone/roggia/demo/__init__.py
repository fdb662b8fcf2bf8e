"""The demo: real text from this machine, through the whole pipeline, with every claim checked as it is shown."""
