"""SSH: connections, host keys, credentials; what fleet stands on, and what runs commands later."""
