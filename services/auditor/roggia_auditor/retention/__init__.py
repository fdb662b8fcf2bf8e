"""How long what is kept: sealed segments, legal holds, and the acts that say in the tree what was done."""
