"""The desk: people look at cases, assess what the machine found, decide, and hear appeals."""
