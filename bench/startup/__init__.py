"""What an import and an installation cost."""
