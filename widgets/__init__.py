"""Reusable widgets: they know snapshots of the protocol, and nothing of client, app or screens."""
