"""What an operator looks at: topics, records, dead letters, groups, freshness."""
