"""Transactions: one producer writes to several partitions and commits offsets, all or nothing."""
