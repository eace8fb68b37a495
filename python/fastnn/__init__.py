"""Neural networks, recommenders and autoencoders, trained fast on a CPU."""
