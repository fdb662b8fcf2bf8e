"""Index generations: the controller that moves them from state to state, and what operators do with them."""
