"""Guardian's own state as one file: taken while the engine works, sealed, verified, restored on a bare machine."""
