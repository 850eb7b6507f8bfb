"""Values into a step: each placeholder becomes one quoted word of the shell; there is no raw form."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping

import msgspec

from guardian_tui.engine.runbooks.documents.model import Document, Step
from guardian_tui.engine.runbooks.documents.variables import check_value
from guardian_tui.protocol.errors import InvalidRequest

PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
ODD_PLACEHOLDER = re.compile(r"\{\{\s*(?![A-Za-z_]\w*\s*\}\})([A-Za-z_][\w.-]*|\d[\w.-]*)\s*\}\}")
"""What was meant for one, and would be left as it stands; templates of other programs begin with a dot or hold more than a word."""
MASK = "••••••"


class Rendered(msgspec.Struct, frozen=True, kw_only=True):
    """A command as it will run."""

    command: str
    """For the shell on the host; never holds a secret."""
    environment: dict[str, str] = {}
    """Goes over standard input, not into the list of processes."""
    stdin: str = ""
    user: str = ""
    """Who it runs as; empty: whoever logs in."""
    masked: tuple[str, ...] = ()
    """Names in the environment whose values are secret."""
    stdin_masked: bool = False
    missing: tuple[str, ...] = ()
    """Variables without a value yet; their placeholders still stand in it.  Never to be run with any."""

    @property
    def shown(self) -> dict[str, str]:
        """The environment as a person may see it."""
        return {name: MASK if name in self.masked else value for name, value in self.environment.items()}


def placeholders(text: str) -> Iterator[tuple[str, int]]:
    """Names of the placeholders in a text, each with its offset."""
    for match in PLACEHOLDER.finditer(text):
        yield match[1], match.start()


def render(
    document: Document,
    step: Step,
    values: Mapping[str, str],
    *,
    rollback: bool = False,
    partial: bool = False,
) -> Rendered:
    """A step's command, or the one that takes it back, with values in it.

    Args:
        document: where the variables are declared.
        step: one that runs a command.
        values: by variable; each is checked against its type again.
        rollback: the command of ``rollback``.
        partial: leave placeholders without a value standing, for a plan.

    Raises:
        InvalidRequest: a value is missing or does not fit.
    """
    sight = _Sight(document, values, partial)
    command = sight.fill(step.rollback if rollback else step.text, shlex.quote)
    environment = {name: sight.fill(text, str) for name, text in step.env.items()}
    return Rendered(
        command=command,
        environment=environment,
        stdin="" if rollback else sight.fill(step.stdin, str),
        user=step.user,
        masked=tuple(name for name, text in step.env.items() if sight.secret(text)),
        stdin_masked=sight.secret(step.stdin),
        missing=tuple(sorted(sight.missing)),
    )


def render_text(document: Document, text: str, values: Mapping[str, str], *, partial: bool = False) -> str:
    """A text for people with values in it; secrets are masked.

    Args:
        document: where the variables are declared.
        text: prose, a question, a message, or what has to be typed to confirm.
        values: by variable.
        partial: leave what has no value yet, or is no variable, as it stands.

    Raises:
        InvalidRequest: a value is missing or does not fit.
    """
    return _Sight(document, values, partial, mask=True).fill(text, str)


class _Sight:
    """Values as they are seen from one step."""

    def __init__(
        self, document: Document, values: Mapping[str, str], partial: bool, *, mask: bool = False
    ) -> None:
        self._variables = {one.name: one for one in document.variables}
        self._values = values
        self._partial = partial
        self._mask = mask
        self.missing: set[str] = set()

    def fill(self, text: str, quote: Callable[[str], str]) -> str:
        """The text with its placeholders replaced, in one pass: what a value brings is not looked at again."""

        def value(match: re.Match[str]) -> str:
            name = match[1]
            variable = self._variables.get(name)
            if variable is None and self._mask and self._partial:
                return match[0]
            if variable is None:
                raise InvalidRequest(f"{name} is no variable of this runbook.", field=name)
            given = self._values.get(name, variable.default)
            if given is None:
                if not self._partial:
                    raise InvalidRequest(f"{name} has no value yet.", field=name)
                self.missing.add(name)
                return match[0]
            checked = check_value(variable, given)
            return MASK if self._mask and variable.secret else quote(checked)

        return PLACEHOLDER.sub(value, text)

    def secret(self, text: str) -> bool:
        """Whether a secret goes into this text."""
        return any(name in self._variables and self._variables[name].secret for name, _ in placeholders(text))
