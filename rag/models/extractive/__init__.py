"""Weights of the extractive generator, and how they were fitted."""
