"""Doors that chatbots know already: other APIs' shapes of the one answer."""
