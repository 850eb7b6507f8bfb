"""Theme files (TOML) and their loader."""

from themes.loader import ThemeFile, ThemeSet, load_themes

__all__ = ["ThemeFile", "ThemeSet", "load_themes"]
