"""Live views: what went by in the last minutes. Approximate, and rebuilt from the topic; nothing exact reads them."""
