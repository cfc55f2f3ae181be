"""Whether a query only reads: said from its text, before any database is asked.

The database has the last word, in a transaction that may not write; this is for the answer at
`apply`, where the database is perhaps not to be reached.
"""

from __future__ import annotations

import re
from typing import Final

_PARTS: Final = re.compile(
    r"""--[^\n]*|/\*.*?\*/                     # comments
    |'(?:[^']|'')*'|"(?:[^"]|"")*"             # texts and names
    |\$(\w*)\$.*?\$\1\$                        # texts of PostgreSQL
    |`[^`]*`|\[[^\]]*\]|;|[A-Za-z_]\w*|\S""",
    re.VERBOSE | re.DOTALL,
)
_READS: Final = frozenset({"select", "with", "values", "table"})
_WRITES: Final = frozenset(
    {
        "insert",
        "update",
        "delete",
        "merge",
        "replace",
        "into",
        "create",
        "alter",
        "drop",
        "truncate",
        "grant",
        "revoke",
        "copy",
        "call",
        "do",
        "attach",
        "detach",
        "pragma",
        "vacuum",
        "reindex",
        "lock",
        "set",
        "reset",
        "begin",
        "commit",
        "rollback",
        "execute",
    }
)
_FUNCTIONS: Final = frozenset({"replace", "set"})
"""Words that are functions or parts of names too, when a bracket follows."""


def require_reading(query: str) -> None:
    """Raise ValueError for a query that is more than one statement, or writes."""
    words = [part.lower() for part in _words(query)]
    while words and words[-1] == ";":
        words.pop()
    if not words:
        raise ValueError("the query is empty")
    if ";" in words:
        raise ValueError("the query is more than one statement")
    first = next((word for word in words if word != "("), "")
    if first not in _READS:
        raise ValueError(f"a query begins with select; this one begins with {first}")
    for word, after in zip(words, [*words[1:], ""], strict=True):
        if word in _WRITES and not (word in _FUNCTIONS and after == "("):
            raise ValueError(f"a query of a schedule may only read; this one has {word}")


def _words(query: str) -> list[str]:
    """What the query says, without comments and without what is quoted."""
    found = (match[0] for match in _PARTS.finditer(query))
    return [part for part in found if not part.startswith(("--", "/*", "'", '"', "`", "[", "$"))]
