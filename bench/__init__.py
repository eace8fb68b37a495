"""Speed of fastnn against its peers: `python -m bench` (see bench/__main__.py)."""
