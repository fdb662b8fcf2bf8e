"""The ledger's domain: what a micro-batch of records comes to. Pure, but for the port that `ports` declares."""
