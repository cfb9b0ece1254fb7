"""Photos: how they become pixels, and whether those pixels are worth scoring."""
