"""Guardian: a full-screen terminal console for people who run servers."""

__version__ = "0.1.0"
