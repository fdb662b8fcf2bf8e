"""The embedded stack: which processes it is made of, where their data lies, and who keeps them alive."""
