"""The services' own SQL, word for word, on SQLite in memory: what PostgreSQL says differently is rewritten here.

Invariant: a statement this file does not understand fails loudly when it is run; nothing is skipped. Money stays exact:
``numeric`` is kept as plain decimal text with a collation and an addition of its own.
"""

import json
import re
import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from algotrendy_common.money import plain

_TYPES = {"numeric": "decimaltext COLLATE decimal", "jsonb": "jsontext", "bigint": "integer"}
_CAST = re.compile(r"::\s*\w+(\[\])?")
_UNNEST = re.compile(r"unnest\(([^()]*)\)(\s+WITH ORDINALITY)?\s+AS\s+(\w+)(?:\s*\(([^)]*)\))?", re.S)
_CHANGES = re.compile(r"^\s*(INSERT|UPDATE|DELETE)\b", re.I)
_REWRITES = (
    (_CAST, ""),
    (re.compile(r"\$(\d+)"), r"?\1"),
    (re.compile(r"\s+FOR (NO KEY UPDATE|UPDATE|KEY SHARE|SHARE)( OF \w+)?( SKIP LOCKED| NOWAIT)?"), ""),
    (re.compile(r"\bSELECT\s+FROM\b"), "SELECT 1 AS one FROM"),
    (re.compile(r"\bclock_timestamp\("), "now("),
    (re.compile(r"\bnow\(\) ([+-]) (\?\d+)"), r"moment_add(now(), \1 \2)"),
    (re.compile(r"\bextract\(epoch FROM ([\w.()]+) - ([\w.]+)\)"), r"seconds_between(\1, \2)"),
    (re.compile(r"<> ALL\s*\(([^()]*)\)"), r"NOT IN (SELECT value FROM json_each(\1))"),
    (re.compile(r"= ANY\s*\(([^()]*)\)"), r"IN (SELECT value FROM json_each(\1))"),
    (re.compile(r"(\w+) @> ARRAY\[(\?\d+)\]"), r"EXISTS (SELECT 1 FROM json_each(\1) WHERE value = \2)"),
    (
        re.compile(r"\barray\(SELECT (.+?) FROM (.+?)\) AS (\w+)"),
        r'(SELECT json_group_array(\1) FROM \2) AS "\3 [arraytext]"',
    ),
    (re.compile(r"\barray_append\((\w+), "), r"json_insert(\1, '$[#]', "),
    (re.compile(r"\bcardinality\("), "json_array_length("),
    (re.compile(r"\bgreatest\("), "max("),
    (re.compile(r"\bleast\("), "min("),
    (re.compile(r"([\w.]+) \+ (excluded\.\w+|\?\d+)"), r"decimal_add(\1, \2)"),
)
_DETECT = sqlite3.PARSE_DECLTYPES | sqlite3.PARSE_COLNAMES
_PARAMETER = re.compile(r"\?(\d+)")


# ── values ──────────────────────────────────────────────────────────────────────────────────────────────────────


_AS_THEY_ARE = frozenset({type(None), bool, int, float, bytes, str})


def encoded(value: Any) -> Any:
    """A parameter as it is kept."""
    if type(value) in _AS_THEY_ARE:
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return (value if value.tzinfo is UTC else value.astimezone(UTC)).isoformat(timespec="microseconds")
    if isinstance(value, timedelta):
        return value.total_seconds()
    return json.dumps(value, default=encoded)


def _compare_decimals(left: str, right: str) -> int:
    a, b = Decimal(left), Decimal(right)
    return (a > b) - (a < b)


def _add_decimals(left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, int):
        return left + right
    return None if left is None or right is None else plain(Decimal(left) + Decimal(right))


class _DecimalSum:
    def __init__(self) -> None:
        self._total: Decimal | None = None

    def step(self, value: Any) -> None:
        if value is not None:
            self._total = (self._total or Decimal(0)) + Decimal(value)

    def finalize(self) -> str | None:
        return None if self._total is None else plain(self._total)


def _moment(text: str) -> datetime:
    return datetime.min.replace(tzinfo=UTC) if text == "-infinity" else datetime.fromisoformat(text)


def _add_seconds(moment: str, seconds: float) -> str:
    return str(encoded(_moment(moment) + timedelta(seconds=seconds)))


def _seconds_between(after: str, before: str) -> float:
    return (_moment(after) - _moment(before)).total_seconds()


@lru_cache(maxsize=20_000)
def _document(text: bytes) -> Any:
    """Read often and changed by nobody: whoever asks again gets the same one."""
    return json.loads(text)


_DECODED: dict[str, Callable[[bytes], Any]] = {
    "timestamptz": lambda text: _moment(text.decode()),
    "decimaltext": lambda text: Decimal(text.decode()),
    "jsontext": _document,
    "arraytext": lambda text: [] if text == b"[]" else json.loads(text.decode()),
    "boolean": lambda text: text != b"0",
}
for _name, _decode in _DECODED.items():
    sqlite3.register_converter(_name, _decode)


# ── statements ──────────────────────────────────────────────────────────────────────────────────────────────────


@cache
def translated(sql: str) -> tuple[tuple[str | None, str, int], ...]:
    """Steps ``(table, statement, parameters)``: each with a table fills it, so that later ones can read from it.

    SQLite has no ``WITH x AS (INSERT …)``: its parts run one after the other, as PostgreSQL's do on one snapshot.
    """
    parts, rest = _common_tables(sql)
    if not any(_CHANGES.match(body) for _, body in parts):
        parts, rest = [], sql
    steps: list[tuple[str | None, str]] = [(name, body) for name, body in parts]
    steps.append((None, rest))
    done = []
    for name, text in steps:
        statement = _statement(text)
        used = [int(number) for number in _PARAMETER.findall(statement)]
        done.append((name, statement, max(used, default=0)))
    return tuple(done)


def _statement(text: str) -> str:
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    text = _UNNEST.sub(_unnested, text)
    before, conflict, after = text.partition("ON CONFLICT")
    if conflict and "SELECT" in before and "WHERE" not in before:
        # Without it SQLite takes the conflict's ON for a join's.
        return f"{before} WHERE true {conflict}{after}"
    return text


def _unnested(match: re.Match[str]) -> str:
    arguments = [argument.strip() for argument in match[1].split(",")]
    names = [name.strip() for name in (match[4] or match[3]).split(",")]
    columns = [f"e{number}.value AS {names[number]}" for number in range(len(arguments))]
    if match[2]:
        columns.append(f"e0.key + 1 AS {names[len(arguments)]}")
    tables = f"json_each({arguments[0]}) AS e0" + "".join(
        f" JOIN json_each({argument}) AS e{number} ON e{number}.key = e0.key"
        for number, argument in enumerate(arguments)
        if number
    )
    return f"(SELECT {', '.join(columns)} FROM {tables}) AS {match[3]}"


def _common_tables(sql: str) -> tuple[list[tuple[str, str]], str]:
    text = sql.strip()
    if not text.upper().startswith("WITH "):
        return [], sql
    found, position = [], 4
    while True:
        match = re.compile(r"\s*(\w+)\s+AS\s*\(", re.I).match(text, position)
        assert match is not None, f"not understood: {text[position : position + 60]}"
        end = _closing(text, match.end())
        found.append((match[1], text[match.end() : end]))
        position = end + 1
        comma = re.compile(r"\s*,").match(text, position)
        if comma is None:
            return found, text[position:]
        position = comma.end()


def _closing(text: str, position: int) -> int:
    depth = 1
    while True:
        if text[position] == "(":
            depth += 1
        elif text[position] == ")":
            depth -= 1
            if not depth:
                return position
        position += 1


def run(connection: sqlite3.Connection, sql: str, arguments: Sequence[Any]) -> tuple[list[dict[str, Any]], int]:
    """Rows and the number of rows touched, of the last step."""
    values = [encoded(argument) for argument in arguments]
    steps = translated(sql)
    if len(steps) == 1:
        ((_, statement, parameters),) = steps
        cursor = connection.execute(statement, values[:parameters])
        found = cursor.fetchall()
        if not found:
            return [], cursor.rowcount
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=False)) for row in found], cursor.rowcount
    return _run_steps(connection, steps, values)


def _run_steps(
    connection: sqlite3.Connection, steps: Sequence[tuple[str | None, str, int]], values: list[Any]
) -> tuple[list[dict[str, Any]], int]:
    rows: list[dict[str, Any]] = []
    touched = 0
    made = []
    for table, statement, parameters in steps:
        cursor = connection.execute(statement, values[:parameters])
        found = cursor.fetchall()
        touched = cursor.rowcount
        names = [column[0] for column in cursor.description or ()]
        if table is None:
            rows = [dict(zip(names, row, strict=False)) for row in found]
        elif names:
            columns = ", ".join(names)
            # Made once: a change of the schema has every statement prepared anew.
            connection.execute(f"CREATE TEMP TABLE IF NOT EXISTS {table} ({columns})")
            holes = ", ".join("?" * len(names))
            connection.executemany(
                f"INSERT INTO {table} VALUES ({holes})", [tuple(encoded(value) for value in row) for row in found]
            )
            made.append(table)
    for table in made:
        connection.execute(f"DELETE FROM temp.{table}")
    return rows, touched


# ── tables ──────────────────────────────────────────────────────────────────────────────────────────────────────


def opened(migrations: Sequence[Path], now: Any) -> sqlite3.Connection:
    """A store with the migrations' tables; ``now`` is asked for PostgreSQL's ``now()``."""
    connection = _connected(lambda: encoded(now()))
    connection.deserialize(_empty(tuple(migrations)))
    return connection


def _connected(now: Callable[[], str]) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None, detect_types=_DETECT)
    connection.create_collation("decimal", _compare_decimals)
    connection.create_function("decimal_add", 2, _add_decimals)
    connection.create_function("moment_add", 2, _add_seconds)
    connection.create_function("seconds_between", 2, _seconds_between)
    connection.create_function("now", 0, now)
    connection.create_aggregate("decimal_sum", 1, _DecimalSum)  # type: ignore[arg-type]
    return connection


@cache
def _empty(migrations: tuple[Path, ...]) -> bytes:
    connection = _connected(lambda: "")
    for migration in migrations:
        for statement in _definitions(migration.read_text()):
            _define(connection, statement)
    return connection.serialize()


def _definitions(text: str) -> list[str]:
    text = re.sub(r"--[^\n]*", "", text)
    text = re.sub(r"\bbigint\s+GENERATED (ALWAYS|BY DEFAULT) AS IDENTITY PRIMARY KEY", "INTEGER PRIMARY KEY", text)
    text = re.sub(r"\b(text|numeric|jsonb|bigint|integer)\[\]", "arraytext", text)
    text = _CAST.sub("", text)
    for name, ours in _TYPES.items():
        text = re.sub(rf"(\w\s+){name}\b", rf"\1{ours}", text)
    text = re.sub(r"DEFAULT now\(\)", "DEFAULT (now())", text)
    text = re.sub(r"DEFAULT '{}'", "DEFAULT '[]'", text)
    # What only makes PostgreSQL faster or stricter.
    text = re.sub(r"CREATE INDEX \w+ ON \w+ USING gin[^;]*;", "", text)
    text = re.sub(r"ALTER TABLE \w+ (ADD|DROP) CONSTRAINT[^;]*;", "", text)
    found: list[str] = []
    for statement in (part.strip() for part in text.split(";")):
        found += _altered(statement) if statement.upper().startswith("ALTER TABLE") else [statement] * bool(statement)
    return found


def _altered(statement: str) -> list[str]:
    """One change a statement."""
    match = re.match(r"(ALTER TABLE\s+\w+)\s+(.*)", statement, re.S | re.I)
    assert match is not None
    return [f"{match[1]} {change.strip()}" for change in re.split(r",\s*(?=ADD\b|DROP\b|ALTER\b)", match[2])]


def _define(connection: sqlite3.Connection, statement: str) -> None:
    retyped = re.match(r"ALTER TABLE\s+(\w+)\s+ALTER COLUMN\s+(\w+)\s+TYPE\s+(\w+)", statement, re.I)
    if retyped is None:
        connection.execute(statement)
        return
    # SQLite changes no types: the table, empty as yet, is made anew.
    table, column, kind = retyped.groups()
    query = "SELECT sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL ORDER BY type = 'index'"
    made = [row[0] for row in connection.execute(query, (table,))]
    connection.execute(f"DROP TABLE {table}")
    for definition in made:
        ours = _TYPES.get(kind, kind)
        connection.execute(re.sub(rf"(^\s*{column}\s+)\w+", rf"\g<1>{ours}", definition, count=1, flags=re.M))
