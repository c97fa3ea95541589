"""Benchmarks: ours against official SAM 2, in the same run."""
