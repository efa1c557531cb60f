"""Belt one: from a change in a silo to the indexes."""
