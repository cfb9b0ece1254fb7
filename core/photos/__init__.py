"""Photos: where they are stored, how they become pixels, and whether those pixels are worth scoring."""
