"""The NumPy twin of the core: every operation written plainly, the definition of every result."""

from .engine import Engine

__all__ = ["Engine"]
