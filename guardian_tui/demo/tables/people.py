"""People on simulated hosts: sessions, accounts, logins."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from guardian_tui.demo.roles import LAB
from guardian_tui.demo.tables.rows import role_of, stamp

if TYPE_CHECKING:
    from guardian_tui.demo.figures import Figures


def sessions(figures: Figures) -> list[str]:
    """Who works on jump hosts and in labs."""
    now = figures.wall()
    rows = [f"R\tD\t{now:.0f}"]
    people = (
        ("ada", "grace", "linus")[: 1 + figures.seed % 2] if role_of(figures).name in ("jump", "lab") else ()
    )
    rows += [
        f"R\tL\t{4 + n}\t{4100 + n * 17}\t{who}\tpts/{n}\t10.20.0.{11 + n}\tsshd\tactive\t{stamp(now - 1800 - 700 * n)}" for n, who in enumerate(people)
    ]  # fmt: skip
    return rows


def accounts(figures: Figures) -> list[str]:
    """Two admins and the account of the probe; the same everywhere."""
    now = figures.wall()
    came = [time.strftime("%a %b %e %H:%M:%S %Y", time.gmtime(now - 90_000 * n - 7000)) for n in (1, 2)]
    return [
        f"R\tD\t{now:.0f}", "R\tP\troot\t0\t/root\t/bin/bash", "R\tP\tada\t1000\t/home/ada\t/bin/bash", "R\tP\tgrace\t1001\t/home/grace\t/bin/zsh",
        "R\tP\tdemo\t1002\t/home/demo\t/bin/sh", "R\tG\tsudo\tada", "R\tG\tadm\tada,grace",
        *([] if role_of(figures).name != LAB.name else ["R\tG\tdocker\tgrace"]),
        f"R\tL\tada      pts/0        10.20.0.11       {came[0]} - still logged in", f"R\tL\tgrace    pts/1        10.20.0.12       {came[1]} - gone",
    ]  # fmt: skip


def logins(figures: Figures) -> list[str]:
    """None, or the noise of the internet."""
    # the noise that any port 22 on the internet hears
    tried = figures.seed % 7 if role_of(figures).name in ("jump", "mail") else 0
    rows = ["R\tN"]
    if tried:
        rows.append(f"R\tF\t203.0.113.{tried * 31 % 250}\t{tried}\t{tried}\t0\t")
    return rows
