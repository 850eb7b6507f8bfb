"""Loads theme files: ours from the package, a person's own from their folder; a broken file is reported, not fatal."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path

from textual.theme import Theme

from themes.palette import in_256

COLOURS = (
    "background", "surface", "panel", "text", "muted", "faint", "accent", "ok", "warning", "critical", "mark", "meter", "rest",
    "cursor", "bar", "border", "prod", "staging", "other", "on_badge", "banner",
)  # fmt: skip
"""Every theme names each of these."""
DEFAULT = "guardian-dark"
SIXTEEN = "guardian-16"
COLOURLESS = "none"
ANSI_COLOURS = (
    "ansi_default",
    *(f"ansi_{bright}{name}" for bright in ("", "bright_") for name in ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")),
)  # fmt: skip
"""The terminal's own colours, which a theme may name in place of #rrggbb."""
_HEX = re.compile(r"^#[0-9a-fA-F]{6}$")


@dataclass(frozen=True, slots=True)
class ThemeFile:
    """A theme as its file has it: a name, dark or light, and its colours."""

    name: str
    dark: bool
    colours: dict[str, str]

    @property
    def ansi(self) -> bool:
        """Whether it is made of the terminal's own colours."""
        return self.colours["background"] in ANSI_COLOURS

    def in_256(self) -> ThemeFile:
        """The same on a terminal of 256 colours."""
        if self.ansi:
            return self
        return replace(self, colours={name: in_256(value) for name, value in self.colours.items()})

    def textual_theme(self) -> Theme:
        """The theme as Textual wants it, our names among its variables.

        With the terminal's own colours no ground can be a shade of another, so that the cursor is reversed; and where a badge has no ground of its
        own, it is reversed too.
        """
        c = self.colours
        variables = {f"g-{name.replace('_', '-')}": value for name, value in c.items()}
        variables |= {
            "text-muted": c["muted"], "border": c["border"], "input-cursor-background": c["accent"], "footer-background": c["bar"],
            "block-cursor-background": c["cursor"], "block-cursor-foreground": c["text"], "scrollbar": c["border"],
            "scrollbar-background": c["background"], "scrollbar-hover": c["muted"], "scrollbar-active": c["accent"],
            "ansi-background": c["background"], "ansi-foreground": c["text"],
        }  # fmt: skip
        variables["g-cursor-style"] = "reverse" if self.ansi else "none"
        # what colour can't say is said by weight and line
        plain = c["critical"] == c["text"]
        variables |= {
            "g-warning-style": "bold" if plain else "none",
            "g-critical-style": "bold underline" if plain else "none",
        }
        variables["g-badge-style"] = "bold reverse" if c["prod"] == "ansi_default" else "bold"
        return Theme(
            name=self.name, primary=c["accent"], secondary=c["mark"], accent=c["accent"], warning=c["warning"], error=c["critical"],
            success=c["ok"], foreground=c["text"], background=c["background"], surface=c["surface"], panel=c["panel"],
            dark=self.dark, variables=variables, ansi=self.ansi,
        )  # fmt: skip


@dataclass(slots=True)
class ThemeSet:
    """All themes that could be loaded, and what was wrong with the others."""

    themes: dict[str, ThemeFile] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def textual_themes(self, colour_system: str | None = None) -> list[Theme]:
        """All of them, for Textual, on a terminal of this colour system (as rich names it)."""
        few = colour_system == "256"
        return [(theme.in_256() if few else theme).textual_theme() for theme in self.themes.values()]

    def pick(self, name: str) -> str:
        """The theme of this name, else the default; an unknown name becomes a problem."""
        if name in self.themes or not name:
            return name or DEFAULT
        self.problems.append(f"there is no theme {name!r}; there are {', '.join(self.themes)}")
        return DEFAULT

    def keep(self, theme: ThemeFile) -> None:
        """Go on with a theme whose file is broken or gone now."""
        self.themes.setdefault(theme.name, theme)

    def after(self, name: str) -> str:
        """The theme after this one."""
        names = list(self.themes)
        return names[(names.index(name) + 1) % len(names)] if name in names else DEFAULT


def parse_theme(text: str, source: str) -> ThemeFile:
    """A theme from its TOML.

    Raises:
        ValueError: says which key of which file is wrong, and what is wanted.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{source}: {error}") from error
    name, dark, colours = table.get("name"), table.get("dark", True), table.get("colours")
    if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9-]{1,40}", name):
        raise ValueError(f"{source}: name must be small letters, digits and dashes")
    if not isinstance(dark, bool) or not isinstance(colours, dict):
        raise ValueError(f"{source}: wants dark = true or false, and a table [colours]")
    if missing := [colour for colour in COLOURS if colour not in colours]:
        raise ValueError(f"{source}: colours lack {', '.join(missing)}")
    for colour, value in colours.items():
        if colour not in COLOURS:
            raise ValueError(f"{source}: there is no colour {colour}")
        if not isinstance(value, str) or not (_HEX.match(value) or value in ANSI_COLOURS):
            raise ValueError(f"{source}: {colour} must be #rrggbb, not {value!r}")
    if len({value in ANSI_COLOURS for value in colours.values()}) > 1:
        raise ValueError(f"{source}: colours are either all #rrggbb or all the terminal's own")
    return ThemeFile(name, dark, dict(colours))


def for_terminal(colour_system: str | None, environment: Mapping[str, str]) -> str:
    """The theme for a terminal when nobody asked for one.

    Args:
        colour_system: as rich names it; ``standard`` is the sixteen colours.
        environment: ``NO_COLOR``, if it holds anything, wants none (https://no-color.org).
    """
    if environment.get("NO_COLOR"):
        return COLOURLESS
    return SIXTEEN if colour_system == "standard" else DEFAULT


def folder_signature(own: Path) -> frozenset[tuple[str, int, int]]:
    """Names, times and sizes of a person's theme files: another signature means that they must be read again."""
    try:
        with os.scandir(own) as entries:
            found = [(entry.name, entry.stat()) for entry in entries if entry.name.endswith(".toml")]
    except OSError:
        return frozenset()
    return frozenset((name, stat.st_mtime_ns, stat.st_size) for name, stat in found)


def load_themes(own: Path | None = None) -> ThemeSet:
    """Our themes, then those of a person's folder, which may replace ours by name."""
    found = ThemeSet()
    for entry in sorted(files("themes").iterdir(), key=lambda e: (DEFAULT not in e.name, e.name)):
        if entry.name.endswith(".toml"):
            theme = parse_theme(entry.read_text(encoding="utf-8"), entry.name)
            found.themes[theme.name] = theme
    for path in sorted(own.glob("*.toml")) if own is not None and own.is_dir() else []:
        try:
            theme = parse_theme(path.read_text(encoding="utf-8"), path.name)
        except (OSError, UnicodeDecodeError) as error:
            found.problems.append(f"{path.name} can't be read: {error}")
        except ValueError as error:
            found.problems.append(str(error))
        else:
            found.themes[theme.name] = theme
    return found
