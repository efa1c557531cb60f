"""The command `sworn`."""
