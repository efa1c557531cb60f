"""One file for each kind of silo."""
