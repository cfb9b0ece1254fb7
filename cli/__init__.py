"""The command line, `walkaround ...`: one module a command or a group of commands."""
