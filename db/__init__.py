"""The database: tables, every write, and the views that reports read."""
