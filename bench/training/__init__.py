"""Workloads that train."""
