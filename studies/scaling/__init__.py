"""What a fleet asks of nodes, broker, database and bucket, computed from the cost of one return: docs/scaling.md."""
