"""What a fleet asks of nodes, broker, database and bucket, reckoned from what one return costs: docs/scaling.md."""
