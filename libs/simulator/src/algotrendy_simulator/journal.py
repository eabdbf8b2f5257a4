"""The simulated venue's books on disk: accounts, orders, fills, tape, candles and where the replay stands.

Invariant: one operation is one transaction, so a process that is killed at any moment leaves books that agree with
one another, and a second start goes on exactly there. Without a directory the journal lives in memory.
"""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, get_type_hints

from algotrendy_simulator.accounts import Account, Balance
from algotrendy_simulator.candles import KEPT_MINUTES, TapeCandle
from algotrendy_simulator.changes import Changes
from algotrendy_simulator.events import TapeTrade
from algotrendy_simulator.ledger import Ledger
from algotrendy_simulator.market import TAPE_KEPT
from algotrendy_simulator.orders import Fill, Order
from algotrendy_simulator.positions import Holding
from algotrendy_simulator.ticks import MINUTE_MS

_SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (
    name TEXT PRIMARY KEY, key TEXT NOT NULL UNIQUE, secret TEXT NOT NULL, passphrase TEXT NOT NULL DEFAULT '',
    dead_man_ms INTEGER);
CREATE TABLE IF NOT EXISTS holdings (account TEXT, symbol TEXT, fields TEXT NOT NULL, PRIMARY KEY (account, symbol));
CREATE TABLE IF NOT EXISTS balances (
    account TEXT, asset TEXT, total TEXT NOT NULL, locked TEXT NOT NULL, PRIMARY KEY (account, asset));
CREATE TABLE IF NOT EXISTS orders (order_id INTEGER PRIMARY KEY, fields TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS fills (trade_id INTEGER, order_id INTEGER, fields TEXT NOT NULL,
    PRIMARY KEY (order_id, trade_id));
CREATE TABLE IF NOT EXISTS tape (symbol TEXT, trade_id INTEGER, fields TEXT NOT NULL, PRIMARY KEY (symbol, trade_id));
CREATE TABLE IF NOT EXISTS candles (
    symbol TEXT, open_time_ms INTEGER, fields TEXT NOT NULL, PRIMARY KEY (symbol, open_time_ms));
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Restored:
    accounts: list[Account]
    orders: list[Order]
    fills: list[Fill]
    holdings: list[Holding]
    tape: dict[str, list[TapeTrade]]
    candles: dict[str, list[TapeCandle]]


class Journal:
    def __init__(self, directory: Path | None) -> None:
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(":memory:" if directory is None else directory / "venue.sqlite3")
        self._database.execute("PRAGMA journal_mode = WAL")
        # A killed process loses nothing without syncing; only a power cut could, and waiting for the disk would
        # stop the whole venue for milliseconds that a benchmark would blame on its clients.
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.executescript(_SCHEMA)
        self._bring_up_to_date()

    def _bring_up_to_date(self) -> None:
        """Accounts had neither passphrase nor dead-man's switch once."""
        known = {row[1] for row in self._database.execute("PRAGMA table_info(accounts)")}
        for column, definition in (("passphrase", "TEXT NOT NULL DEFAULT ''"), ("dead_man_ms", "INTEGER")):
            if column not in known:
                self._database.execute(f"ALTER TABLE accounts ADD COLUMN {column} {definition}")

    def close(self) -> None:
        self._database.close()

    def state(self) -> dict[str, Any]:
        """What the last transaction said of the replay; empty in a new journal."""
        return {name: json.loads(value) for name, value in self._database.execute("SELECT name, value FROM state")}

    def write(self, changes: Changes, ledger: Ledger, state: dict[str, Any]) -> None:
        with self._database as database:
            database.executemany(
                "INSERT INTO accounts VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (name) DO UPDATE SET dead_man_ms = excluded.dead_man_ms",
                [
                    (account.name, account.key, account.secret, account.passphrase, account.dead_man_ms)
                    for account in changes.accounts
                ],
            )
            database.executemany(
                "REPLACE INTO balances VALUES (?, ?, ?, ?)",
                [(name, asset, *_balance(ledger.accounts[name].balance(asset))) for name, asset in changes.balances],
            )
            database.executemany(
                "REPLACE INTO holdings VALUES (?, ?, ?)",
                [(*name, _text(ledger.holdings[name])) for name in changes.holdings],
            )
            database.executemany(
                "REPLACE INTO orders VALUES (?, ?)",
                [(order.order_id, _text(order)) for order in changes.orders.values()],
            )
            database.executemany(
                "INSERT INTO fills VALUES (?, ?, ?)",
                [(fill.trade_id, fill.order_id, _text(fill)) for fill in changes.fills],
            )
            database.executemany(
                "INSERT INTO tape VALUES (?, ?, ?)",
                [(trade.symbol, trade.trade_id, _text(trade)) for trade in changes.tape],
            )
            for symbol, candle in changes.candles:
                self._write_candle(symbol, candle)
            database.executemany(
                "REPLACE INTO state VALUES (?, ?)",
                [(name, json.dumps(value, separators=(",", ":"))) for name, value in state.items()],
            )

    def _write_candle(self, symbol: str, candle: TapeCandle) -> None:
        execute = self._database.execute
        execute("REPLACE INTO candles VALUES (?, ?, ?)", (symbol, candle.open_time_ms, _text(candle)))
        oldest = candle.open_time_ms - KEPT_MINUTES * MINUTE_MS
        execute("DELETE FROM candles WHERE symbol = ? AND open_time_ms < ?", (symbol, oldest))
        execute(
            "DELETE FROM tape WHERE symbol = ? AND trade_id <= (SELECT max(trade_id) FROM tape WHERE symbol = ?) - ?",
            (symbol, symbol, TAPE_KEPT),
        )

    def restore(self) -> Restored:
        execute = self._database.execute
        columns = "name, key, secret, passphrase, dead_man_ms"
        accounts = {row[0]: Account(*row) for row in execute(f"SELECT {columns} FROM accounts ORDER BY rowid")}
        for name, asset, total, locked in execute("SELECT account, asset, total, locked FROM balances ORDER BY rowid"):
            accounts[name].balances[asset] = Balance(Decimal(total), Decimal(locked))
        tape: dict[str, list[TapeTrade]] = {}
        for symbol, text in execute("SELECT symbol, fields FROM tape ORDER BY symbol, trade_id"):
            tape.setdefault(symbol, []).append(_read(TapeTrade, text))
        candles: dict[str, list[TapeCandle]] = {}
        for symbol, text in execute("SELECT symbol, fields FROM candles ORDER BY symbol, open_time_ms"):
            candles.setdefault(symbol, []).append(_read(TapeCandle, text))
        return Restored(
            list(accounts.values()),
            [_read(Order, text) for (text,) in execute("SELECT fields FROM orders ORDER BY order_id")],
            [_read(Fill, text) for (text,) in execute("SELECT fields FROM fills ORDER BY rowid")],
            [_read(Holding, text) for (text,) in execute("SELECT fields FROM holdings ORDER BY rowid")],
            tape,
            candles,
        )


def _balance(balance: Balance) -> tuple[str, str]:
    return str(balance.total), str(balance.locked)


def fields_of(record: Any) -> list[Any]:
    """A flat dataclass as JSON values: Decimals and enums as text."""
    return [_plain(value) for value in astuple(record)]


def record_of[T](record_class: type[T], values: Iterable[Any]) -> T:
    """The dataclass that ``fields_of`` wrote; fields that it did not have yet get their defaults."""
    return record_class(*(_value(hint, value) for hint, value in zip(_hints(record_class), values, strict=False)))


def _text(record: Any) -> str:
    return json.dumps(fields_of(record), separators=(",", ":"))


def _read[T](record_class: type[T], text: str) -> T:
    return record_of(record_class, json.loads(text))


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, Decimal) else value


def _hints(record_class: Any) -> list[Any]:
    hints = get_type_hints(record_class)
    return [hints[field.name] for field in fields(record_class)]


def _value(hint: Any, value: Any) -> Any:
    if value is None:
        return None
    if hint is Decimal or hint == Decimal | None:
        return Decimal(value)
    return hint(value) if isinstance(hint, type) and issubclass(hint, Enum) else value
