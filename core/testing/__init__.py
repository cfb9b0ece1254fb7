"""Real, small stand-ins for the slow or distant parts of the system, for tests of ours and of others."""
