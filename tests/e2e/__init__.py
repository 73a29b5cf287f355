"""Tests over the whole stack, as real processes."""
