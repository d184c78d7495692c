# SPDX-License-Identifier: Apache-2.0
"""Readable values against what tests/programs/values states of itself."""

import re
from typing import Dict, List, Optional, Union

ESCAPES = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, '"': 34, "\\": 92}
ESCAPE = re.compile(r'\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|[abtnvfr"\\])')
STRING_BYTES = 120  # shown of each

Text = Optional[Union[str, dict]]


def unquote(literal: str) -> bytes:
    """Return the bytes of a Go string literal.

    :raises AssertionError: it is none, or has something that could command a terminal
    """
    assert len(literal) >= 2 and literal[0] == literal[-1] == '"', literal
    out, at, body = bytearray(), 0, literal[1:-1]
    while at < len(body):
        found = ESCAPE.match(body, at)
        if not found:
            assert body[at] not in '"\\' and body[at].isprintable(), repr(body[at])
            out += body[at].encode()
            at += 1
            continue
        word = found.group(1)
        if word[0] == "x":
            out.append(int(word[1:], 16))
        elif word[0] in "uU":
            out += chr(int(word[1:], 16)).encode()
        else:
            out.append(ESCAPES[word])
        at = found.end()
    return bytes(out)


def agrees(ours: Optional[str], stated: Text) -> bool:
    """Tell whether a text is what the program states: of strings, their bytes."""
    if not isinstance(stated, dict):
        return ours == stated
    if ours is None:
        return False
    before, after, whole = stated["Before"], stated["After"], bytes.fromhex(stated["Hex"])
    if not ours.startswith(before) or not ours.endswith(after):
        return False
    literal, cut, rest = ours[len(before):len(ours) - len(after)].partition("… (")
    if not cut:
        return unquote(literal) == whole
    shown = unquote(literal)
    return (whole.startswith(shown) and STRING_BYTES - 4 < len(shown) <= STRING_BYTES < len(whole) and
            rest == "%d bytes)" % len(whole))


def differences(ours: List[dict], stated: Dict[str, Text]) -> List[str]:
    """Return where the rows of a table `value` are not what the program states."""
    found = {row["name"]: row["value"] for row in ours}
    wrong = ["%s: given twice" % name for name in found
             if sum(row["name"] == name for row in ours) > 1] if len(found) != len(ours) else []
    wrong += ["%s: missing, it is %r" % (name, stated[name]) for name in stated if name not in found]
    wrong += ["%s: %r is nothing of it" % (name, found[name]) for name in found
              if name not in stated]
    wrong += ["%s: %r, but it is %r" % (name, found[name], stated[name]) for name in found
              if name in stated and not agrees(found[name], stated[name])]
    return wrong
