"""What a step says held against the rest of its document: names that it uses, commands, conditions and places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from guardian_tui.engine.runbooks.documents.commands import Note, check_command
from guardian_tui.engine.runbooks.documents.expressions import (
    KEYWORDS,
    BadExpression,
    Name,
    Operand,
    Series,
    Text,
    operands,
    parse_expression,
)
from guardian_tui.engine.runbooks.documents.fields import Fields
from guardian_tui.engine.runbooks.documents.findings import Notes, Severity, did_you_mean
from guardian_tui.engine.runbooks.documents.judging import COMMAND_NAMES, WAIT_NAMES
from guardian_tui.engine.runbooks.documents.model import Document, Step, Variable
from guardian_tui.engine.runbooks.documents.programs import is_dangerous, takes_code, writes
from guardian_tui.engine.runbooks.documents.rendering import ODD_PLACEHOLDER, placeholders
from guardian_tui.protocol.metrics import METRICS

RESERVED = KEYWORDS | set(COMMAND_NAMES) | set(WAIT_NAMES)


def check_names(document: Document, notes: Notes) -> None:
    """Note variables whose name has another meaning in conditions."""
    for variable in document.variables:
        if variable.name in RESERVED or variable.name in METRICS:
            notes.add(
                "reserved-variable", f"A variable can't be called {variable.name}: conditions have that word.", "Call it otherwise.",
                line=variable.line,
            )  # fmt: skip


def uses(step: Step) -> Iterator[tuple[str, str, int]]:
    """The variables that a step needs before it runs: the key that names each, its name, and its offset there."""
    texts = [
        (step.kind, step.text),
        ("stdin", step.stdin),
        ("confirm", step.confirm),
        ("rollback", step.rollback),
    ]
    if step.kind == "wait":
        texts.pop(0)
    if step.hosts is not None:
        texts.append(("hosts", step.hosts.filter))
        if step.hosts.variable:
            yield "hosts", step.hosts.variable, 0
    for key, text in texts:
        for name, offset in placeholders(text):
            yield key, name, offset
    for text in step.env.values():
        for name, _ in placeholders(text):
            yield "env", name, 0
    for key, text in (("wait", step.text if step.kind == "wait" else ""), ("expect", step.expect)):
        for name, offset in _named(text):
            if key == "wait" or name not in step.capture:
                yield key, name, offset


def _operands(text: str) -> list[Operand]:
    """What a condition speaks of; nothing where it is none, which is told elsewhere."""
    try:
        return list(operands(parse_expression(text))) if text else []
    except BadExpression:
        return []


def _named(text: str) -> Iterator[tuple[str, int]]:
    """Variables in a condition."""
    for one in _operands(text):
        if (
            isinstance(one, Name)
            and one.name not in COMMAND_NAMES
            and one.name not in WAIT_NAMES
            and one.name not in METRICS
        ):
            yield one.name, one.offset


def check_step(step: Step, fields: Fields, document: Document) -> None:
    """Note what is wrong with one step within its document."""
    variables = {one.name: one for one in document.variables}
    for key, name, offset in uses(step):
        # conditions are told of below, with all the names that they know
        if name not in variables and key not in ("wait", "expect"):
            fields.note(
                key,
                "unknown-variable",
                f"There is no variable {name[:60]!r}.",
                did_you_mean(name, variables),
                offset=offset,
            )
    for key, text in (
        (step.kind, step.text),
        ("stdin", step.stdin),
        ("confirm", step.confirm),
        ("rollback", step.rollback),
        *step.env.items(),
    ):
        for match in ODD_PLACEHOLDER.finditer(text):
            place = "env" if key in step.env else key
            at = None if place == "env" else match.start()
            fields.note(
                place,
                "odd-placeholder",
                f"{match[0][:60]} is no placeholder.",
                "Names have small letters, digits and _.",
                offset=at,
            )
    if step.acts:
        _check_commands(step, fields, variables)
    elif step.kind in ("notify", "backup", "silence"):
        for name, offset in placeholders(step.text):
            if name in variables and variables[name].secret:
                fields.note(
                    step.kind,
                    "secret-in-text",
                    f"The secret {name} would be told.",
                    "Leave it out.",
                    offset=offset,
                )
    if step.expect:
        _check_condition(step.expect, "expect", fields, {*COMMAND_NAMES, *variables}, metrics=False)
    if step.kind == "wait" and step.text:
        _check_condition(step.text, "wait", fields, {*WAIT_NAMES, *variables}, metrics=True)
    _check_places(step, fields, document, variables)


def _check_commands(step: Step, fields: Fields, variables: Mapping[str, Variable]) -> None:
    reading = check_command(step.text, step.env, variables, _noting(fields, step.kind))
    if step.rollback:
        check_command(step.rollback, step.env, variables, _noting(fields, "rollback"))
    if program := takes_code(reading) if any(placeholders(step.stdin)) else "":
        fields.note(
            "stdin", "value-as-code", f"{program} would run a value in its input as code.",
            "Give psql -v x={{x}} and write :'x' in the SQL; give others an argument or a variable of env.",
        )  # fmt: skip
    if step.kind == "check" and (word := writes(reading)):
        fields.note(
            "check",
            "check-writes",
            f"A check only looks, and {word} changes something.",
            "Make it a run.",
            severity="warning",
        )
    if step.kind == "run" and not step.dangerous and (word := is_dangerous(reading)):
        fields.note(
            "run", "unmarked-danger", f"{word} can take something away, and the step is not marked.", "Add dangerous: and why.", severity="warning"
        )  # fmt: skip


def _noting(fields: Fields, key: str) -> Note:
    def note(code: str, words: str, hint: str, offset: int, severity: Severity) -> None:
        fields.note(key, code, words, hint, offset=offset, severity=severity)

    return note


def _check_condition(text: str, key: str, fields: Fields, known: set[str], *, metrics: bool) -> None:
    try:
        found = list(operands(parse_expression(text)))
    except BadExpression as error:
        fields.note(
            key, "bad-expression", error.detail, "See the language of conditions.", offset=error.offset
        )
        return
    for one in found:
        if isinstance(one, Series) and not metrics:
            fields.note(
                key,
                "metric-in-expect",
                f"{one.metric} is a metric, and expect knows none.",
                "Use a step of kind wait.",
                offset=one.offset,
            )
        elif isinstance(one, Series):
            _check_series(one, key, fields)
        elif isinstance(one, Name) and one.name not in known:
            _check_name(one, key, fields, known, metrics=metrics)


def _check_series(one: Series, key: str, fields: Fields) -> None:
    metric = METRICS.get(one.metric)
    if metric is None:
        fields.note(
            key,
            "unknown-metric",
            f"There is no metric {one.metric[:60]!r}.",
            did_you_mean(one.metric, METRICS),
            offset=one.offset,
        )
    elif not metric.instance:
        fields.note(
            key,
            "metric-of-host",
            f"{one.metric} is of the whole host.",
            "Take the braces away.",
            offset=one.offset,
        )
    elif isinstance(one.instance, Text) and not one.instance.value:
        fields.note(
            key,
            "empty-instance",
            f"{one.metric} needs a {metric.instance}.",
            "Name it in the braces.",
            offset=one.offset,
        )


def _check_name(one: Name, key: str, fields: Fields, known: set[str], *, metrics: bool) -> None:
    if metrics and one.name in METRICS:
        if instance := METRICS[one.name].instance:
            fields.note(
                key,
                "metric-of-instance",
                f"{one.name} is of one {instance}.",
                f"Write {one.name}{{{instance}}}.",
                offset=one.offset,
            )
        return
    names = {*known, *METRICS} if metrics else known
    # a variable that is missing is told as such elsewhere, in the same words as in a command
    if one.name in METRICS:
        fields.note(
            key,
            "metric-in-expect",
            f"{one.name} is a metric, and expect knows none.",
            "Use a step of kind wait.",
            offset=one.offset,
        )
    else:
        fields.note(
            key,
            "unknown-variable",
            f"There is no variable {one.name[:60]!r}.",
            did_you_mean(one.name, names),
            offset=one.offset,
        )


def _check_places(step: Step, fields: Fields, document: Document, variables: Mapping[str, Variable]) -> None:
    hosts = step.hosts or document.hosts
    needs = step.acts or step.kind == "silence" or (step.kind == "wait" and _reads_hosts(step.text))
    if needs and hosts is None:
        fields.note(
            step.kind,
            "no-hosts",
            f"Nothing says where the step {step.name} acts.",
            "Add hosts: to the front matter or to the step.",
        )
    if (
        step.hosts is not None
        and step.hosts.variable in variables
        and variables[step.hosts.variable].type != "host"
    ):
        fields.note("hosts", "no-host", f"{step.hosts.variable} is no host.", "Declare it as type: host.")


def _reads_hosts(text: str) -> bool:
    return any(
        isinstance(one, Series) or (isinstance(one, Name) and (one.name == "state" or one.name in METRICS))
        for one in _operands(text)
    )
