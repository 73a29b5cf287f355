"""The history of the database: Alembic revisions, which travel inside the wheel."""
