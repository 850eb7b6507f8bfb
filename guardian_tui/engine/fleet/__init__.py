"""The fleet: what is watched, how it is polled, and what state it is in."""
