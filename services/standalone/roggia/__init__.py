"""The command line and the all-in-one mode: the one place where the parts are put together."""
