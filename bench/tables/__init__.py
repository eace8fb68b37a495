"""Workloads of large tables: lookups, sampled classes, pairs to rank."""
