"""The audit log: one hash chain per engine, signed checkpoints beside it: no history rewritten unnoticed."""
