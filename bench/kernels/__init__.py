"""Single kernels under pytest-benchmark: `pytest bench/kernels/*.py [-k avx512]`."""
