"""Numbers alone: no engine, no table, no model."""
