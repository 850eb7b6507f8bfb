"""Approvals by another person, for every feature whose orders can wait for one: what counts, what is kept, who is asked."""
