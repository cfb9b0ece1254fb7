"""`walkaround model`: one module a group of commands."""
