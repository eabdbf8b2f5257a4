"""The service's SQL on SQLite: what is translated means the same, and money stays exact."""

import sqlite3
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.faults.order_sim.postgres_dialect import opened, run

NOW = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture
def store(tmp_path):
    migration = tmp_path / "0001.sql"
    migration.write_text(
        "-- A comment; with a semicolon.\n"
        "CREATE TABLE things (name text PRIMARY KEY, amount numeric NOT NULL, at timestamptz NOT NULL DEFAULT now(),"
        " document jsonb, tags text[] NOT NULL DEFAULT '{}');\n"
        "CREATE TABLE log (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);\n"
        "ALTER TABLE things ADD COLUMN open boolean NOT NULL DEFAULT true;\n"
        "ALTER TABLE log ALTER COLUMN name TYPE numeric;\n"
        "ALTER TABLE log ALTER COLUMN name TYPE text;\n"
    )
    return opened([migration], lambda: NOW)


def put(store, name, amount):
    run(store, "INSERT INTO things (name, amount, document) VALUES ($1, $2, $3)", [name, Decimal(amount), {"a": [1]}])


def test_values_come_back_as_they_went_in(store):
    put(store, "x", "0.1000000000000000000000001")
    rows, _ = run(store, "SELECT * FROM things WHERE name = $1 FOR UPDATE", ["x"])
    assert rows == [
        {
            "name": "x",
            "amount": Decimal("0.1000000000000000000000001"),
            "at": NOW,
            "document": {"a": [1]},
            "tags": [],
            "open": True,
        }
    ]


def test_money_adds_and_compares_exactly(store):
    put(store, "x", "0.1")
    upsert = (
        "INSERT INTO things (name, amount) VALUES ($1, $2)"
        " ON CONFLICT (name) DO UPDATE SET amount = things.amount + excluded.amount"
    )
    run(store, upsert, ["x", Decimal("0.2")])
    assert run(store, "SELECT amount FROM things WHERE amount <> 0", [])[0] == [{"amount": Decimal("0.3")}]
    put(store, "ten", "10")
    put(store, "nine", "9")
    ordered, _ = run(store, "SELECT name FROM things ORDER BY amount", [])
    assert [row["name"] for row in ordered] == ["x", "nine", "ten"]


def test_a_statement_with_changes_in_its_tables_runs_as_one(store):
    sql = """
    WITH guard AS (SELECT FROM things WHERE name = $1 FOR KEY SHARE), taken AS (
        INSERT INTO things (name, amount) SELECT $2, $3 FROM guard ON CONFLICT DO NOTHING RETURNING name
    ), logged AS (
        INSERT INTO log (name) SELECT step.name FROM taken, unnest($4::text[]) WITH ORDINALITY AS step (name, position)
        ORDER BY step.position
    )
    SELECT count(*) FROM taken
    """
    assert run(store, sql, ["x", "y", Decimal(1), ["a", "b"]])[0] == [{"count(*)": 0}]
    put(store, "x", "1")
    assert run(store, sql, ["x", "y", Decimal(1), ["a", "b"]])[0] == [{"count(*)": 1}]
    assert [row["name"] for row in run(store, "SELECT name FROM log ORDER BY position", [])[0]] == ["a", "b"]


def test_arrays_moments_and_what_returning_gives(store):
    put(store, "x", "1")
    changed, touched = run(
        store,
        "UPDATE things SET tags = array_append(tags, $2), at = clock_timestamp() + $3 WHERE name = ANY($1) RETURNING *",
        [["x", "z"], "t", timedelta(seconds=5)],
    )
    assert touched == 1
    assert changed[0]["tags"] == ["t"]
    assert changed[0]["at"] == NOW + timedelta(seconds=5)
    assert changed[0]["amount"] == Decimal(1)
    found = run(store, "SELECT name FROM things WHERE tags @> ARRAY[$1] AND cardinality($2::text[]) = 0", ["t", []])
    assert found[0] == [{"name": "x"}]


def test_what_is_not_understood_fails(store):
    with pytest.raises(sqlite3.OperationalError):
        run(store, "SELECT * FROM things TABLESAMPLE SYSTEM (10)", [])
