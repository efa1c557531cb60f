"""Benchmarks: figures of the real parts as ratios to peers run beside, on the same machine."""
