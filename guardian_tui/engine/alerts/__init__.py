"""Alerts: rules, evaluation, silences, and the messages that reach someone."""
