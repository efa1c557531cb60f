"""Measuring answers against gold, and speed against peers."""
