"""What a photo can be: beyond these limits a file is refused, and a decoder that reports more is not believed."""

MAX_BYTES = 40_000_000
# Phones make photos of 50 (8192 x 6144), 64 (9248 x 6936) and 108 megapixels (12032 x 9024). Of the largest, decoding a
# HEIC takes 990 MB of address space, a PNG 610, a JPEG 470; DECODE_MEMORY_MB is 1024 by default.
MAX_PIXELS = 110_000_000
YEARS = range(1995, 2100)  # of a photo's own date; a camera whose clock was never set gives others
MAX_SHARPNESS = 8.0  # no picture's Laplacian deviates more than eight times as much as its grey levels
