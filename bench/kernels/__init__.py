"""Single kernels against the limits of the machine: `python -m bench.kernels`."""
