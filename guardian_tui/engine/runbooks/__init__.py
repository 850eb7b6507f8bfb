"""Runbooks: documents that lead a person through a repair, their plan, and their runs."""
