"""The commands of `walkaround`, one module a subject."""
