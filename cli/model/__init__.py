"""`walkaround model`: one module a group of commands; the application itself stands in `cli.main`."""
