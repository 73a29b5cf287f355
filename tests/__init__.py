"""Facts about behaviour, stated with the real parts."""
