"""Backups: what is saved, whether it was, and whether it could be restored tonight."""
