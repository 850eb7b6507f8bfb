"""Theme files (TOML) and their loader."""

from themes.loader import ThemeFile, ThemeSet, folder_signature, for_terminal, load_themes

__all__ = ["ThemeFile", "ThemeSet", "folder_signature", "for_terminal", "load_themes"]
