"""How far behind every group is, and how it is doing."""
