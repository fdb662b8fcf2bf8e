"""Index generations in this process: which are hosted, with which models, and which one is read from."""
