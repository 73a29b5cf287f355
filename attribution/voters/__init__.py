"""Who says whose work an image resembles."""
