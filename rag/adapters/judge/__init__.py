"""Judges: the port `Judge` by features alone, by our own encoder, or by any cross-encoder."""
