"""What an expression says of values: it holds, it does not, or it can't be told.  What can't be told is never taken for good."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping

import msgspec

from guardian_tui.engine.runbooks.documents.expressions import (
    Compare,
    Expression,
    Joined,
    Name,
    Negation,
    Number,
    Operand,
    Series,
    Text,
    operands,
    parse_expression,
)
from guardian_tui.engine.runbooks.documents.patterns import matches
from guardian_tui.engine.runbooks.documents.units import Dimension, Quantity, read_quantity
from guardian_tui.protocol.errors import InvalidRequest
from guardian_tui.protocol.metrics import METRICS
from guardian_tui.text import safe

COMMAND_NAMES = {
    "exit": "exit code", "output": "standard output", "errors": "standard error", "lines": "lines of standard output", "seconds": "how long it took",
}  # fmt: skip
"""What ``expect`` knows beside variables."""
WAIT_NAMES = {
    "state": "the host's state, e.g. 'up'",
    "alert": "'firing' or 'resolved': the alert that the run answers",
}
"""What ``wait`` knows beside variables and metrics."""
DEFAULT_EXPECT = "exit == 0"

Value = str | float | int | Quantity
_ORDERS: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_DIMENSIONS: dict[str, Dimension] = {"ratio": "ratio", "bytes": "bytes", "seconds": "seconds"}
MOST_SHOWN = 60


class Verdict(msgspec.Struct, frozen=True):
    """Whether an expression holds, and why, in words of what was found."""

    holds: bool | None
    """None: a value is missing or does not fit."""
    why: str


class _Unknown(Exception):
    """A value is missing or does not fit; says which."""


def judge(text: str, values: Mapping[str, Value | None]) -> Verdict:
    """What an expression says of these values.

    Args:
        text: the expression; empty: the command must have ended well.
        values: by name, and by series for metrics, e.g. ``filesystem_used_ratio{/var}``; None, or not there: not known.

    Raises:
        BadExpression: the text is none.
    """
    return _judge(parse_expression(text or DEFAULT_EXPECT), values)


def wanted_series(text: str, values: Mapping[str, Value | None]) -> tuple[str, ...]:
    """The series whose values an expression needs, e.g. ``load1`` or ``filesystem_used_ratio{/var}``; those of unknown instances are left out.

    Raises:
        BadExpression: the text is none.
    """
    found = (
        _series(one, values) for one in operands(parse_expression(text)) if isinstance(one, Series | Name)
    )
    return tuple(dict.fromkeys(name for name in found if name))


def command_values(
    exit_code: int | None, output: str, errors: str, seconds: float
) -> dict[str, Value | None]:
    """What a command left behind, for ``expect``; the exit code of one that was cut off is None."""
    return {
        "exit": exit_code, "output": output, "errors": errors, "seconds": Quantity(seconds, "seconds"),
        "lines": len(output.splitlines()),
    }  # fmt: skip


def _series(one: Series | Name, values: Mapping[str, Value | None]) -> str:
    if isinstance(one, Name):
        return one.name if one.name in METRICS and one.name not in values else ""
    instance = one.instance.value if isinstance(one.instance, Text) else values.get(one.instance.name)
    return "" if instance is None else f"{one.metric}{{{_text(instance)}}}"


def _judge(expression: Expression, values: Mapping[str, Value | None]) -> Verdict:
    if isinstance(expression, Negation):
        inner = _judge(expression.inner, values)
        return Verdict(None if inner.holds is None else not inner.holds, inner.why)
    if isinstance(expression, Joined):
        return _joined(expression.word == "and", [_judge(part, values) for part in expression.parts])
    try:
        return _compare(expression, values)
    except _Unknown as unknown:
        return Verdict(None, str(unknown))


def _joined(every: bool, parts: Iterable[Verdict]) -> Verdict:
    parts = list(parts)
    decisive = [one for one in parts if one.holds is (not every)]
    unknown = [one for one in parts if one.holds is None]
    told = decisive or unknown or parts
    holds = (not every) if decisive else None if unknown else every
    return Verdict(holds, "; ".join(dict.fromkeys(one.why for one in told)))


def _compare(one: Compare, values: Mapping[str, Value | None]) -> Verdict:
    left = _value(one.left, values)
    if one.operator == "in":
        said = [_equal(left, one.left, _value(right, values), right) for right in one.right]
        holds = any(said) != one.negated
    elif one.operator in ("contains", "matches"):
        text, wanted = _text(left), _text(_value(one.right[0], values))
        holds = (wanted in text if one.operator == "contains" else _matches(text, wanted)) != one.negated
    elif one.operator in ("==", "!="):
        right = _value(one.right[0], values)
        holds = _equal(left, one.left, right, one.right[0]) == (one.operator == "==")
    else:
        left_number, right_number = _numbers(left, one.left, _value(one.right[0], values), one.right[0])
        holds = _ORDERS[one.operator](left_number, right_number)
    word = f"not {one.operator}" if one.negated else one.operator
    wanted = ", ".join(_written(right) for right in one.right)
    found = (
        f"{_written(one.left)} is {_shown(left)}"
        if isinstance(one.left, Name | Series)
        else _written(one.left)
    )
    return Verdict(holds, f"{found}, {'as wanted' if holds else 'wanted'} {word} {wanted}")


def _equal(left: Value, left_from: Operand, right: Value, right_from: Operand) -> bool:
    numeric = isinstance(left_from, Number) or isinstance(right_from, Number)
    if not numeric and (isinstance(left_from, Text) or isinstance(right_from, Text)):
        return _text(left) == _text(right)
    if not numeric and (_quantity(left) is None or _quantity(right) is None):
        return _text(left) == _text(right)
    one, other = _numbers(left, left_from, right, right_from)
    return one == other


def _numbers(left: Value, left_from: Operand, right: Value, right_from: Operand) -> tuple[float, float]:
    one, other = _number(left, left_from), _number(right, right_from)
    if one.dimension == other.dimension:
        return one.value, other.value
    # what has no unit has that of the other: used, captured as 83, is compared with 80% as 83%
    if not one.dimension:
        return one.value * other.factor, other.value
    if not other.dimension:
        return one.value, other.value * one.factor
    raise _Unknown(
        f"{_written(left_from)} ({one.dimension}) can't be compared with {_written(right_from)} ({other.dimension})"
    )


def _number(value: Value, operand: Operand) -> Quantity:
    quantity = _quantity(value)
    if quantity is None:
        raise _Unknown(f"{_written(operand)} is no number: {_shown(value)}")
    return quantity


def _matches(text: str, wanted: str) -> bool:
    try:
        return matches(text, wanted)
    except InvalidRequest as error:
        raise _Unknown(error.detail) from error


def _value(operand: Operand, values: Mapping[str, Value | None]) -> Value:
    if isinstance(operand, Number):
        return operand.quantity
    if isinstance(operand, Text):
        return operand.value
    name = operand.name if isinstance(operand, Name) else _series(operand, values)
    value = values.get(name) if name else None
    if value is None:
        raise _Unknown(f"{_written(operand)} is not known")
    metric = METRICS.get(name.partition("{")[0])
    if metric is not None and isinstance(value, float | int):
        return Quantity(float(value), _DIMENSIONS.get(metric.unit, ""))
    return value


def _quantity(value: Value) -> Quantity | None:
    if isinstance(value, Quantity):
        found: Quantity | None = value
    elif isinstance(value, str):
        found = read_quantity(value)
    else:
        found = Quantity(float(value))
    # NaN is a gap: no number that could be good
    return found if found is not None and found.value == found.value else None


def _text(value: Value) -> str:
    return str(value) if not isinstance(value, Quantity) else f"{value.value:g}"


def _shown(value: Value) -> str:
    if isinstance(value, str):
        return safe(value.strip(), MOST_SHOWN) or "empty"
    quantity = _quantity(value)
    if quantity is None:
        return "a gap"
    if quantity.dimension == "ratio":
        return f"{quantity.value * 100:.3g}%"
    unit = {"bytes": "B", "seconds": "s"}.get(quantity.dimension, "")
    return f"{quantity.value:.6g}{unit}"


def _written(operand: Operand) -> str:
    if isinstance(operand, Number):
        return operand.written
    if isinstance(operand, Text):
        return safe(repr(operand.value), MOST_SHOWN)
    if isinstance(operand, Name):
        return operand.name
    return f"{operand.metric}{{{_written(operand.instance)}}}"
