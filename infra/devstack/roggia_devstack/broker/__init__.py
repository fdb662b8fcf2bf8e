"""The broker as a whole: settings, the parts wired together, start and stop."""
