"""Other libraries, one adapter each; an adapter is imported only when its library is installed."""
