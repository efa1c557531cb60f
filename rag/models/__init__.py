"""Weights that Sworn trains and ships, with their recipes and cards."""
