"""Sworn's house: the domain, the two belts, and the adapters to the world."""
