"""What is known, in SQL: tables, statements, the database and the folding of names."""
