"""Public helpers for tests of connectors, generators and judges."""
