"""The one store: SQLite or PostgreSQL, the same code on both."""
