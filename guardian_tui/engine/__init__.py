"""The engine: one per person or per team; watches hosts, raises alerts, keeps the audit log."""
