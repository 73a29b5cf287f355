"""Pages for people, each one file."""
