"""Use cases that answer: an image, a set, a search, a region."""
