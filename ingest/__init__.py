"""The way in: sources become jobs, jobs become findable works."""
