"""What an older installation has stored is what the newer one works with, and the way back leads to the older shape."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from algotrendy_common.enums import Side
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.ids import new_id
from algotrendy_risk.domain.account_limits import AccountLimits
from algotrendy_risk.settings import PAPER_LIMITS

MIGRATIONS = Path(__file__).parents[1] / "migrations"
NEW = {
    "trigger_collar", "drift_window", "max_drift", "max_strategy_orders", "max_instrument_orders", "max_net_exposure",
    "max_concentration", "max_leverage", "market_slippage", "exit_room", "max_repeats", "repeat_window",
    "approval_notional", "approval_daily_notional", "approval_timeout", "approval_by_another",
    "reductions_while_halted",
}  # fmt: skip


@pytest.fixture
async def older(servers) -> AsyncIterator[asyncpg.Connection]:
    """A schema of its own, as the first migration left it."""
    connection = await asyncpg.connect(servers.addresses.postgres_url)
    try:
        await connection.execute("CREATE SCHEMA older; SET search_path TO older")
        await connection.execute((MIGRATIONS / "0001.books.sql").read_text())
        yield connection
    finally:
        await connection.execute("DROP SCHEMA older CASCADE")
        await connection.close()


async def up(connection: asyncpg.Connection) -> None:
    await connection.execute((MIGRATIONS / "0002.people.sql").read_text())


async def test_older_limits_halts_and_reservations_are_carried_over_and_back(older):
    document = PAPER_LIMITS.model_dump(mode="json")
    old = {name: value for name, value in document.items() if name not in NEW} | {"max_orders": 33}
    terms = OrderTerms(
        order_id=new_id(),
        account="paper-1",
        venue="binance",
        symbol="BTC-USDT",
        side="buy",
        type="market",
        quantity="1",
    )
    await older.execute(
        "INSERT INTO account (account, venue, quote_currency, moved_at, halted_by, halted_reason, halted_since)"
        " VALUES ('paper-1', 'binance', 'USDT', now(), 'tom', 'odd', now())"
    )
    for version in (1, 2):
        await older.execute(
            "INSERT INTO account_limits (account, version, document, set_by) VALUES ('paper-1', $1, $2, 'settings')",
            version,
            json.dumps(old | {"max_open_orders": version}),
        )
    for order_id, side in ((new_id(), Side.BUY), (new_id(), Side.SELL)):
        await older.execute(
            "INSERT INTO reservation (order_id, account, terms, price, fee_ratio, approved_at, status, revision,"
            " filled, reported_filled, open) VALUES ($1, 'paper-1', $2, 100, 0.001, now(), 'open', 1, 0, 0, true)",
            order_id,
            terms.model_copy(update={"order_id": order_id, "side": side}).model_dump_json(),
        )
    await up(older)
    rows = await older.fetch("SELECT version, document, set_by, reason FROM account_limits ORDER BY version")
    assert [row["version"] for row in rows] == [1, 2, 3]
    newest = AccountLimits.model_validate(json.loads(rows[-1]["document"]))
    assert (newest.max_open_orders, newest.max_strategy_orders, newest.max_net_exposure) == (2, 33, 90_000)
    assert (rows[-1]["set_by"], json.loads(rows[0]["document"])) == ("migration 0002", old | {"max_open_orders": 1})
    halt = await older.fetchrow("SELECT * FROM halt")
    assert (halt["level"], halt["key"], halt["engaged"], halt["by_whom"]) == ("account", "paper-1", True, "tom")
    ratios = await older.fetch("SELECT terms ->> 'side' AS side, cash_ratio FROM reservation ORDER BY side")
    assert [(row["side"], float(row["cash_ratio"])) for row in ratios] == [("buy", 1.001), ("sell", 0.0)]
    await older.execute((MIGRATIONS / "0002.people.rollback.sql").read_text())
    assert await older.fetchval("SELECT max(version) FROM account_limits") == 2
    assert await older.fetchval("SELECT halted_by FROM account") == "tom"
    await up(older)
    assert await older.fetchval("SELECT max(version) FROM account_limits") == 3
