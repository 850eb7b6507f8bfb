"""Themes: each can be read by everybody, and a broken one is named and left out."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from rich.color import Color, ColorSystem

from themes.loader import (
    ANSI_COLOURS,
    COLOURLESS,
    COLOURS,
    DEFAULT,
    SIXTEEN,
    ThemeFile,
    folder_signature,
    for_terminal,
    load_themes,
    parse_theme,
)
from widgets import figures

OURS = load_themes().themes
COLOURED = [name for name in OURS if name != COLOURLESS]
# what terminals make of the sixteen colours when nobody has chosen others
PALETTES = {
    "xterm": "000000 cd0000 00cd00 cdcd00 0000ee cd00cd 00cdcd e5e5e5 7f7f7f ff0000 00ff00 ffff00 5c5cff ff00ff 00ffff ffffff",
    "vga": "000000 aa0000 00aa00 aa5500 0000aa aa00aa 00aaaa aaaaaa 555555 ff5555 55ff55 ffff55 5555ff ff55ff 55ffff ffffff",
}
TEXTS = ("text", "muted", "faint", "accent", "ok", "warning", "critical", "mark")
GROUNDS = ("background", "surface", "panel", "cursor", "bar")
BADGES = ("prod", "staging", "other", "banner")


def shades(name: str) -> list[dict[str, str]]:
    """A theme's colours as they may be seen: in all colours and in 256, or by every palette when they are the terminal's own."""
    colours = OURS[name].colours
    if not OURS[name].ansi:
        return [colours, {key: as_256(value) for key, value in OURS[name].in_256().colours.items()}]
    inks = [
        dict(zip(ANSI_COLOURS[1:], (f"#{ink}" for ink in palette.split()), strict=True))
        for palette in PALETTES.values()
    ]
    return [{key: palette[value] for key, value in colours.items()} for palette in inks]


def as_256(colour: str) -> str:
    """What a terminal of 256 colours is given for a colour."""
    return Color.parse(colour).downgrade(ColorSystem.EIGHT_BIT).get_truecolor().hex


def test_in_256_colours_what_is_nearly_grey_is_grey_and_trouble_keeps_its_colour() -> None:
    dark = load_themes().textual_themes("256")[0]
    assert dark.name == DEFAULT
    # by distance alone it would be navy
    assert as_256(OURS[DEFAULT].colours["cursor"]) == "#00005f"
    assert as_256(dark.variables["g-cursor"]) == "#262626" and dark.variables["g-critical"] == "#f2707d"
    assert OURS[SIXTEEN].in_256() is OURS[SIXTEEN]


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast of two colours, WCAG 2.2."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", COLOURED)
@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("text", TEXTS)
def test_every_text_can_be_read_on_every_ground(name: str, ground: str, text: str) -> None:
    for colours in shades(name):
        assert contrast(colours[text], colours[ground]) >= 4.5, f"{name}: {text} on {ground}"


@pytest.mark.parametrize("name", COLOURED)
@pytest.mark.parametrize("badge", BADGES)
def test_badges_can_be_read(name: str, badge: str) -> None:
    for colours in shades(name):
        assert contrast(colours["on_badge"], colours[badge]) >= 4.5


@pytest.mark.parametrize("name", COLOURED)
def test_meters_can_be_told_from_their_ground(name: str) -> None:
    for colours in shades(name):
        for ground in ("background", "cursor"):
            assert contrast(colours["meter"], colours[ground]) >= 3.0  # WCAG 1.4.11: graphics
        assert contrast(colours["meter"], colours["rest"]) >= 2.0


def test_without_colour_there_is_none_and_what_needs_a_ground_is_reversed() -> None:
    colourless = OURS[COLOURLESS]
    assert set(colourless.colours.values()) == {"ansi_default"}
    variables = colourless.textual_theme().variables
    assert (variables["g-cursor-style"], variables["g-badge-style"]) == ("reverse", "bold reverse")
    assert OURS[DEFAULT].textual_theme().variables["g-cursor-style"] == "none"
    # what is wrong stands out all the same, and the gravest most
    styles = [variables[f"g-{level}-style"] for level in ("warning", "critical")]
    assert styles == ["bold", "bold underline"]
    assert OURS[DEFAULT].textual_theme().variables["g-critical-style"] == "none"
    filled, rest = figures.meter(0.5, 4)
    assert filled[0] != rest[0]


@pytest.mark.parametrize(
    ("system", "environment", "wanted"),
    [
        ("truecolor", {}, DEFAULT),
        ("256", {"NO_COLOR": ""}, DEFAULT),
        ("standard", {}, SIXTEEN),
        ("standard", {"NO_COLOR": "1"}, COLOURLESS),
        ("truecolor", {"NO_COLOR": "0"}, COLOURLESS),
        (None, {}, DEFAULT),
    ],
)
def test_the_terminal_decides_when_nobody_asks(
    system: str | None, environment: dict[str, str], wanted: str
) -> None:
    assert for_terminal(system, environment) == wanted


def test_the_default_comes_first_and_each_names_all_colours() -> None:
    assert next(iter(OURS)) == DEFAULT
    for theme in OURS.values():
        assert set(theme.colours) == set(COLOURS)
        assert theme.textual_theme().variables["g-on-badge"] == theme.colours["on_badge"]
    assert [theme.name for theme in load_themes().textual_themes()] == list(OURS)


def text_of(**changes: str) -> str:
    """A good theme file, with colours changed."""
    colours = OURS[DEFAULT].colours | changes
    return 'name = "mine"\ndark = true\n[colours]\n' + "\n".join(
        f'{key} = "{value}"' for key, value in colours.items()
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = ", "x.toml"),
        ('name = "Not So"', "small letters"),
        ("dark = true", "small letters"),
        ('name = "a"\ndark = 3\n[colours]', "dark = true or false"),
        ('name = "a"\ncolours = 3', "a table [colours]"),
        ('name = "a"\n[colours]\ntext = "#000000"', "lack background"),
        (text_of(text="red"), "text must be #rrggbb, not 'red'"),
        (text_of(text="ansi_pink"), "text must be #rrggbb, not 'ansi_pink'"),
        (text_of(text="ansi_red"), "either all #rrggbb or all the terminal's own"),
        (text_of(nonsense="#000000"), "there is no colour nonsense"),
        (text_of().replace('"#d3dae0"', "7"), "text must be #rrggbb, not 7"),
    ],
)
def test_a_broken_file_is_told_with_its_name_and_what_is_wanted(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=r"x\.toml") as error:
        parse_theme(text, "x.toml")
    assert words in str(error.value)


def test_a_persons_own_files_are_added_and_broken_ones_are_named_not_fatal(tmp_path: Path) -> None:
    (tmp_path / "good.toml").write_text(text_of(), encoding="utf-8")
    (tmp_path / "bad.toml").write_text("nonsense", encoding="utf-8")
    (tmp_path / "bytes.toml").write_bytes(b"name = \xff")
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "ours.toml").write_text(text_of(text="#ffffff").replace("mine", DEFAULT), encoding="utf-8")
    found = load_themes(tmp_path)
    assert "mine" in found.themes
    assert found.themes[DEFAULT].colours["text"] == "#ffffff"
    assert {problem.split(":")[0].split(" ")[0] for problem in found.problems} == {
        "bad.toml",
        "bytes.toml",
        "folder.toml",
    }
    assert load_themes(tmp_path / "none").problems == []


def test_a_change_of_a_file_is_seen_by_the_folder_s_signature(tmp_path: Path) -> None:
    assert folder_signature(tmp_path / "none") == frozenset()
    empty = folder_signature(tmp_path)
    (tmp_path / "notes.txt").write_text("nothing to do with it")
    assert folder_signature(tmp_path) == empty
    (tmp_path / "mine.toml").write_text("a")
    first = folder_signature(tmp_path)
    (tmp_path / "mine.toml").write_text("ab")
    assert len({empty, first, folder_signature(tmp_path)}) == 3


def test_an_unknown_name_falls_back_to_the_default_and_is_said() -> None:
    found = load_themes()
    assert found.pick("") == DEFAULT and found.pick("guardian-light") == "guardian-light"
    assert found.problems == []
    assert found.pick("pink") == DEFAULT and "no theme 'pink'" in found.problems[0]


def test_the_key_for_another_theme_goes_round() -> None:
    found = load_themes()
    seen = [DEFAULT]
    while (name := found.after(seen[-1])) != DEFAULT:
        seen.append(name)
    assert seen == list(found.themes)
    assert found.after("gone") == DEFAULT


def test_a_theme_file_is_a_value() -> None:
    assert ThemeFile("a", True, {}) == ThemeFile("a", True, {})


# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB
SIGHT = {
    "protan": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deutan": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritan": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


def lab(colour: str, sight: str) -> tuple[float, float, float]:
    """CIE L*a*b* of a colour as such an eye sees it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    red, green, blue = (
        min(1.0, max(0.0, sum(a * b for a, b in zip(line, linear, strict=True)))) for line in SIGHT[sight]
    )
    x, y, z = (
        value ** (1 / 3) if value > 0.008856 else 7.787 * value + 16 / 116
        for value in (
            (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505,
            0.2126 * red + 0.7152 * green + 0.0722 * blue,
            (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089,
        )
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize(
    ("name", "sight"),
    [
        ("guardian-blue-orange", "protan"),
        ("guardian-blue-orange", "deutan"),
        ("guardian-teal-pink", "tritan"),
    ],
)
def test_good_and_bad_can_be_told_apart_by_eyes_that_lack_a_colour(name: str, sight: str) -> None:
    seen = {paint: lab(OURS[name].colours[paint], sight) for paint in ("ok", "warning", "critical")}
    for one, other in (("ok", "warning"), ("ok", "critical"), ("warning", "critical")):
        assert math.dist(seen[one], seen[other]) >= 25, (
            f"{one} and {other}: {math.dist(seen[one], seen[other]):.0f}"
        )
