"""Secrets, sealed before they reach the store."""
