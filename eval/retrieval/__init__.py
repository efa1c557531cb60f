"""Measures Sworn's own retrieval on public sets: `python -m eval retrieval`."""
