"""Guardian's own state: taken, verified, restored from nothing."""
