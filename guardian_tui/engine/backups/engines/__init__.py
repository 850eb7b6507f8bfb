"""The programs that back up, one adapter each."""
