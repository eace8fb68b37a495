"""Workloads that predict."""
