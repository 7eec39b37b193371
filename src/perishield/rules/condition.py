"""Conditions in CEL (Common Expression Language, https://cel.dev) over what an event holds.

A condition is compiled when the rule is saved and tried on a made-up event, so that a misspelt field or a comparison
of a number with a text is told to whoever writes it. Evaluation is bounded: no loops (CEL's macros `all`, `exists`,
`exists_one`, `map`, `filter`), a length, a depth; `matches` takes linear time.

Where a condition fails at run time (metres on a camera that is not calibrated are null, for example) the event goes
through and says so: a guard must not be blinded by a slip.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from perishield.model.errors import RuleError
from perishield.model.rule_checks import LONGEST_CONDITION

if TYPE_CHECKING:
    from cel import Program

SAMPLE: Mapping[str, Any] = {
    "kind": "tripwire",
    "camera": "gate-3",
    "rule": "Gate line",
    "label": "person",
    "level": 2,
    "score": 0.8,
    "track": 7,
    "direction": "left_to_right",
    "x": 0.5,
    "y": 0.5,
    "height": 0.2,
    "height_m": 1.7,
    "speed": 0.8,
    "speed_mps": 1.4,
    "stayed_s": 12.0,
    "count": 3,
    "hour": 22,
    "minute": 30,
    "weekday": 0,
}
"""Every field that a condition may name, with a value of its type. `x`, `y`: the point, as shares of the picture.
`hour`, `minute`, `weekday` (0 is Monday) are those of the rule's time zone."""

_DEEPEST = 24
_TEXT = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'')
_LOOP = re.compile(r"\b(all|exists|exists_one|map|filter)\s*\(")
_PLACE = re.compile(r"<input>:(\d+):(\d+): (?:Syntax error: )?([^\n]*)")
_EXPECTING = re.compile(r" expecting \{.*")


class Condition:
    """One compiled condition.

    >>> condition = Condition("label == 'person' && speed > 0.5")
    >>> condition.holds(dict(SAMPLE))
    True
    """

    def __init__(self, text: str, name: str = "") -> None:
        """Raises RuleError with `field` "condition", and `line` and `column` (from 1) where it is known."""
        self._name = name
        self.text = text
        self._program = self._compiled(text)
        unknown = sorted(set(self._program.variables()) - SAMPLE.keys())
        if unknown:
            line, column = _place_of(text, unknown[0])
            raise self._error(
                f"there is no field {unknown[0]!r}; there are {', '.join(SAMPLE)}", line=line, column=column
            )
        try:
            answer = self._program.execute(dict(SAMPLE))
        except Exception as error:
            raise self._error(_first_line(error)) from error
        if not isinstance(answer, bool):
            raise self._error(f"it must be true or false, and is {answer!r}")

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether the event counts. Raises RuleError where that cannot be said."""
        try:
            answer = self._program.execute(dict(values))
        except Exception as error:
            raise self._error(_first_line(error)) from error
        if not isinstance(answer, bool):
            raise self._error(f"it gave {answer!r}")
        return answer

    def _compiled(self, text: str) -> Program:
        # Heavy (it brings its own command line along), and most rules have no condition.
        import cel

        bare = _TEXT.sub("''", text)
        if len(text) > LONGEST_CONDITION:
            raise self._error(f"it has more than {LONGEST_CONDITION} characters")
        if not text.isprintable():
            raise self._error("it holds characters that cannot be printed; write it on one line")
        if _depth(bare) > _DEEPEST:
            raise self._error(f"brackets are nested more than {_DEEPEST} deep")
        loop = _LOOP.search(bare)
        if loop:
            line, column = _place_of(text, loop[1])
            raise self._error(f"{loop[1]}() would loop; compare fields one by one", line=line, column=column)
        try:
            return cel.compile(text)
        except Exception as error:
            found = _PLACE.search(str(error))
            if found is None:
                raise self._error(_first_line(error)) from error
            line, column = int(found[1]), int(found[2])
            what = _EXPECTING.sub("", found[3]).replace("'<EOF>'", "the end") or "not CEL"
            raise self._error(what, line=line, column=column) from error

    def _error(self, text: str, *, line: int = 1, column: int = 0) -> RuleError:
        where = f" at character {column}" if column else ""
        whose = f"rule {self._name!r}: " if self._name else ""
        return RuleError(f"{whose}condition{where}: {text}", field="condition", line=line, column=column)


def _place_of(text: str, name: str) -> tuple[int, int]:
    found = re.search(rf"\b{re.escape(name)}\b", _TEXT.sub(lambda quoted: " " * len(quoted[0]), text))
    return 1, found.start() + 1 if found else 1


def _depth(text: str) -> int:
    deepest = depth = 0
    for character in text:
        if character in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in ")]}":
            depth -= 1
    # Signs in a row nest, too.
    return max(deepest, *(len(run) for run in re.findall(r"[!-](?:\s*[!-])*", text)), 0)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200] or type(error).__name__
