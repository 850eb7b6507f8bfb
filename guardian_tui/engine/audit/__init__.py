"""The audit log: one hash chain per engine, signed checkpoints beside it, so that history can't be rewritten unnoticed."""
