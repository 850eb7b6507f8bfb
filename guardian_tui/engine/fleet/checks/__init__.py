"""Checks from the engine: what is looked at from outside a host, through its SSH connection, or by a command on it."""
