"""Texts made to mislead, kept as data, with what a right answer to each may and may not say."""
