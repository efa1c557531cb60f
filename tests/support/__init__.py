"""What several test suites share: a small organisation, and a server over it in this process."""
