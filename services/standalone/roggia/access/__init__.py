"""Who may do what on a secured cluster: ACLs from the topic catalogue, compared with Kafka's."""
