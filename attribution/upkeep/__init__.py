"""Use cases that keep a collection right: correct, withdraw, undo, compare, make anew."""
