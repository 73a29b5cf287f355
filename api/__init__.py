"""The doors: the command line, the HTTP API, the report."""
