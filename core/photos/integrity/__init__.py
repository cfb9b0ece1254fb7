"""Whether a photo's file is whole: libraries decode bytes that never arrived, and what they show then is no car."""
