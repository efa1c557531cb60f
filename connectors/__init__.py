"""Watching the silos and carrying what changes through belt one."""
