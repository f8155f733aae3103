"""Benchmarks: each prints a table and one JSON line at the end, figures beside a limit of the same run."""
