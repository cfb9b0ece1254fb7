"""The web side: the event receiver."""
