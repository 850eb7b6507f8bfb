r"""The language of ``expect`` and ``wait``, parsed and never evaluated as code: ``exit == 0 and used < 80%``.

expression = and {"or" and}          and = not {"and" not}           not = ["not"] not | "(" expression ")" | comparison
comparison = operand ("==" | "!=" | "<" | "<=" | ">" | ">=" | ["not"] "contains" | ["not"] "matches") operand
           | operand ["not"] "in" "(" operand {"," operand} ")"
operand    = number with a unit | 'text as it stands' | "text with \n, \t, \" and \\" | name | metric "{" (text | name) "}"
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from guardian_tui.engine.runbooks.documents.patterns import compiled
from guardian_tui.engine.runbooks.documents.units import UNITS, Quantity, read_quantity, read_seconds
from guardian_tui.protocol.errors import InvalidRequest

MOST_CHARACTERS = 1000
MOST_DEPTH = 20
KEYWORDS = frozenset({"and", "or", "not", "contains", "matches", "in"})

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>-?\d[A-Za-z0-9.%]*)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<raw>'[^']*')|(?P<text>"(?:[^"\\]|\\.)*")"""
    r"""|(?P<op>==|!=|<=|>=|<|>|\(|\)|\{|\}|,)|(?P<end>$))""",
    re.DOTALL,
)
_ESCAPES = {"n": "\n", "t": "\t"}
_ORDERS = frozenset({"==", "!=", "<", "<=", ">", ">="})


class BadExpression(InvalidRequest):
    """A text that is no expression; ``offset`` says where in it."""

    def __init__(self, detail: str, offset: int) -> None:
        super().__init__(detail, field="expect")
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it is written."""

    quantity: Quantity
    written: str


@dataclass(frozen=True, slots=True)
class Text:
    """A text as it is written."""

    value: str


@dataclass(frozen=True, slots=True)
class Name:
    """A variable, something that a command left behind, or a metric of the whole host."""

    name: str
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Series:
    """A metric of one mount, unit and so on."""

    metric: str
    instance: Text | Name
    offset: int = 0


Operand = Number | Text | Name | Series


@dataclass(frozen=True, slots=True)
class Compare:
    """Two operands and what is asked of them; ``in`` has several on its right."""

    operator: str
    left: Operand
    right: tuple[Operand, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Negation:
    """The opposite."""

    inner: Expression


@dataclass(frozen=True, slots=True)
class Joined:
    """All of them (``and``), or any of them (``or``)."""

    word: str
    parts: tuple[Expression, ...]


Expression = Compare | Negation | Joined


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    offset: int


@lru_cache(maxsize=512)
def parse_expression(text: str) -> Expression:
    """The expression that a text is.

    Raises:
        BadExpression: it is none; says where and what would be.
    """
    if len(text) > MOST_CHARACTERS:
        raise BadExpression(
            f"An expression of more than {MOST_CHARACTERS} characters can't be read; split the step.", 0
        )
    parser = _Parser(list(_tokens(text)))
    expression = parser.disjunction(0)
    parser.end()
    return expression


def operands(expression: Expression) -> Iterator[Operand]:
    """Every operand in it, instances of series included."""
    if isinstance(expression, Negation):
        yield from operands(expression.inner)
    elif isinstance(expression, Joined):
        for part in expression.parts:
            yield from operands(part)
    else:
        for one in (expression.left, *expression.right):
            yield one
            if isinstance(one, Series):
                yield one.instance


def _tokens(text: str) -> Iterator[_Token]:
    place = 0
    while True:
        match = _TOKEN.match(text, place)
        if match is None or match.lastgroup is None:
            at = place + len(text[place:]) - len(text[place:].lstrip())
            raise BadExpression(_odd(text[at]), at)
        yield _Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup))
        if match.lastgroup == "end":
            return
        place = match.end()


def _odd(char: str) -> str:
    if char == "=":
        return "Write == to compare."
    if char in "'\"":
        return "This text is not closed; put the same quote at its end."
    if char in "&|!":
        return "Write and, or, not."
    return f"{char!r} has no meaning here; put texts in quotes."


class _Parser:
    """Goes through the tokens once, from the left."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self, *texts: str) -> bool:
        token = self._next
        if token.kind in ("op", "name") and token.text in texts:
            self._at += 1
            return True
        return False

    def _want(self, text: str) -> None:
        if not self._take(text):
            raise BadExpression(f"A {text} is missing here.", self._next.offset)

    def end(self) -> None:
        """Refuse what follows the expression."""
        token = self._next
        if token.kind != "end":
            raise BadExpression(
                f"{token.text[:40]!r} can't follow here; join comparisons with and or or.", token.offset
            )

    def disjunction(self, depth: int) -> Expression:
        """Parts joined by ``or``."""
        if depth > MOST_DEPTH:
            raise BadExpression(f"Brackets nest deeper than {MOST_DEPTH}; take some out.", self._next.offset)
        parts = [self._conjunction(depth)]
        while self._take("or"):
            parts.append(self._conjunction(depth))
        return parts[0] if len(parts) == 1 else Joined("or", tuple(parts))

    def _conjunction(self, depth: int) -> Expression:
        parts = [self._negation(depth)]
        while self._take("and"):
            parts.append(self._negation(depth))
        return parts[0] if len(parts) == 1 else Joined("and", tuple(parts))

    def _negation(self, depth: int) -> Expression:
        if self._take("not"):
            if depth > MOST_DEPTH:
                raise BadExpression("Too many not; take some out.", self._next.offset)
            return Negation(self._negation(depth + 1))
        if self._take("("):
            inner = self.disjunction(depth + 1)
            self._want(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Expression:
        left = self._operand()
        negated = self._take("not")
        token = self._next
        if token.text in _ORDERS and not negated and token.kind == "op":
            self._at += 1
            right = self._operand()
            _comparable(left, right, token)
            return Compare(token.text, left, (right,))
        if self._take("contains", "matches"):
            right = self._operand()
            if token.text == "matches" and isinstance(right, Text):
                _pattern(right, token)
            return Compare(token.text, left, (right,), negated)
        if self._take("in"):
            self._want("(")
            several = [self._operand()]
            while self._take(","):
                several.append(self._operand())
            self._want(")")
            return Compare("in", left, tuple(several), negated)
        raise BadExpression(
            "A comparison is missing here: ==, !=, <, <=, >, >=, contains, matches or in.", token.offset
        )

    def _operand(self) -> Operand:
        token = self._next
        self._at += token.kind != "end"
        if token.kind == "number":
            return _number(token)
        if token.kind == "raw":
            return Text(token.text[1:-1])
        if token.kind == "text":
            return Text(
                re.sub(
                    r"\\(.)",
                    lambda match: _ESCAPES.get(match[1], match[1]),
                    token.text[1:-1],
                    flags=re.DOTALL,
                )
            )
        if token.kind != "name" or token.text in KEYWORDS:
            what = repr(token.text[:40]) if token.text else "the end"
            raise BadExpression(
                f"A value is missing before {what}: a number, a text in quotes, or a name.", token.offset
            )
        if not self._take("{"):
            return Name(token.text, token.offset)
        instance = self._operand()
        if not isinstance(instance, Text | Name):
            raise BadExpression("In braces stands a name, or a text in quotes.", token.offset)
        self._want("}")
        return Series(token.text, instance, token.offset)


def _number(token: _Token) -> Number:
    quantity = read_quantity(token.text)
    if quantity is None and (seconds := read_seconds(token.text)) is not None:
        quantity = Quantity(seconds, "seconds")
    if quantity is None:
        raise BadExpression(
            f"{token.text[:40]!r} is no number; its unit is one of {', '.join(UNITS)}.", token.offset
        )
    return Number(quantity, token.text)


def _comparable(left: Operand, right: Operand, token: _Token) -> None:
    if isinstance(left, Number) and isinstance(right, Number):
        raise BadExpression(
            "Two numbers are compared; put the name of what is measured on one side.", token.offset
        )
    if token.text not in ("==", "!=") and (isinstance(left, Text) or isinstance(right, Text)):
        raise BadExpression(
            f"A text has no order; write a number without quotes after {token.text}.", token.offset
        )


def _pattern(text: Text, token: _Token) -> None:
    try:
        compiled(text.value)
    except InvalidRequest as error:
        raise BadExpression(error.detail, token.offset) from error
