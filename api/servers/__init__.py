"""The servers that a machine runs for itself."""
