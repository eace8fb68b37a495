"""The engines that estimators can be tested on here."""

import importlib.util

CORE = importlib.util.find_spec("fastnn._core") is not None
BACKEND = "core" if CORE else "numpy"
