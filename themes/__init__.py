"""Theme files (TOML) and their loader."""

from themes.loader import DEFAULT, ThemeFile, ThemeSet, folder_signature, for_terminal, load_themes

__all__ = ["DEFAULT", "ThemeFile", "ThemeSet", "folder_signature", "for_terminal", "load_themes"]
