import json
import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from algotrendy_common.enums import MarginMode, OrderType, Side, TimeInForce
from algotrendy_common.errors import InvariantBroken
from algotrendy_simulator.orders import OrderRequest, VenueStatus
from algotrendy_simulator.settings import SimulatorSettings
from algotrendy_simulator.simulation import Simulation, build_simulation


def start(state: Path | None, seed: int = 7, venue: str = "binance") -> Simulation:
    return build_simulation(SimulatorSettings(seed=seed, paused=True, history=20, state=state, venue=venue))


def trade(simulation: Simulation) -> None:
    """An order that fills at once and two that rest, one of them inside the crowd's queue."""
    exchange = simulation.exchange
    account = exchange.accounts["paper-1"]
    market = exchange.markets["BTCUSDT"]
    bid = market.engine.book.best(Side.BUY)
    assert bid is not None
    for client_id, type_, quantity, price in (
        ("taken", OrderType.MARKET, "1.5", None),
        ("inside", OrderType.LIMIT, "0.3", bid),
        ("far", OrderType.LIMIT, "0.2", Decimal(15_000)),
    ):
        request = OrderRequest(client_id, "BTCUSDT", Side.BUY, type_, TimeInForce.GTC, Decimal(quantity), price)
        exchange.place(account, request)


def trade_on_margin(simulation: Simulation) -> None:
    """A position with a pair around it, a trailing stop, an order with an end, one filled in part, and the switch."""
    exchange = simulation.exchange
    account = exchange.accounts["paper-1"]
    perpetual, spot = exchange.markets["BTCUSDT-PERP"], exchange.markets["BTCUSDT"]

    def place(client_id: str, symbol: str, side: Side, type_: OrderType, quantity: str, **values: Any) -> None:
        given = {"time_in_force": TimeInForce.GTC, **values}
        exchange.place(account, OrderRequest(client_id, symbol, side, type_, quantity=Decimal(quantity), **given))

    exchange.set_leverage(account, "BTCUSDT-PERP", Decimal(10), MarginMode.ISOLATED)
    place("opens", "BTCUSDT-PERP", Side.BUY, OrderType.MARKET, "1.5")
    last = perpetual.last_price
    around = {"limit_price": last + 30, "trigger_price": last - 500, "reduce_only": True}
    place("pair", "BTCUSDT-PERP", Side.SELL, OrderType.OCO, "1.5", **around)
    place("buys", "BTCUSDT", Side.BUY, OrderType.MARKET, "0.5")
    place("trails", "BTCUSDT", Side.SELL, OrderType.TRAILING_STOP, "0.2", trailing_ratio=Decimal("0.002"))
    until = {"time_in_force": TimeInForce.GTD, "good_until_ms": 2**50, "limit_price": spot.last_price - 500}
    place("ends", "BTCUSDT", Side.BUY, OrderType.LIMIT, "0.1", **until)
    exchange.arm_dead_man(account, 3_600_000)
    exchange.fill_partially(Decimal("0.5"))
    place("parts", "BTCUSDT", Side.BUY, OrderType.MARKET, "0.2")


def everything(simulation: Simulation) -> object:
    exchange = simulation.exchange
    return (
        simulation.replay.cursor,
        [track.tape_hash for track in simulation.replay.tracks],
        {name: dict(account.balances) for name, account in exchange.accounts.items()},
        exchange.orders,
        exchange.fills,
        exchange.ledger.holdings,
        {name: (account.passphrase, account.dead_man_ms) for name, account in exchange.accounts.items()},
        [
            (
                [list(market.engine.book.orders(side)) for side in Side],
                market.engine.book.sequence,
                market.engine.last_sequence,
                list(market.tape),
                market.candles.running,
                market.candles.minutes(0, 2**60),
            )
            for market in exchange.markets.values()
        ],
    )


def test_a_second_start_goes_on_exactly_where_the_first_stopped(tmp_path: Path) -> None:
    first = start(tmp_path)
    unbroken = start(None)
    for simulation in (first, unbroken):
        simulation.replay.play_minutes(2)
        trade(simulation)
        for _ in range(7):
            simulation.replay.play_next()
    before = everything(first)
    # Not closed: what a killed process leaves behind.
    second = start(tmp_path)
    assert everything(second) == before
    for simulation in (second, unbroken):
        simulation.replay.play_minutes(3)
    assert [track.tape_hash for track in second.replay.tracks] == [track.tape_hash for track in unbroken.replay.tracks]
    fills = [(fill.trade_id, fill.price, fill.quantity) for fill in second.exchange.fills]
    assert fills == [(fill.trade_id, fill.price, fill.quantity) for fill in unbroken.exchange.fills]
    assert [list(second.exchange.markets["BTCUSDT"].engine.book.orders(side)) for side in Side] == [
        list(unbroken.exchange.markets["BTCUSDT"].engine.book.orders(side)) for side in Side
    ]


def test_positions_and_waiting_orders_go_on_where_they_were(tmp_path: Path) -> None:
    first, unbroken = start(tmp_path, venue="okx"), start(None, venue="okx")
    for simulation in (first, unbroken):
        simulation.replay.play_minutes(1)
        trade_on_margin(simulation)
    before = everything(first)
    second = start(tmp_path, venue="okx")
    assert everything(second) == before
    for simulation in (second, unbroken):
        simulation.replay.play_minutes(30)
    outcomes = [
        [(order.client_order_id, order.status, order.filled, order.trigger_price) for order in exchange.orders.values()]
        for exchange in (second.exchange, unbroken.exchange)
    ]
    assert outcomes[0] == outcomes[1]
    ended = {name: status for name, status, _, _ in outcomes[0]}
    assert (ended["parts"], ended["ends"]) == (VenueStatus.FILLED, VenueStatus.NEW)
    assert ended["trails"] is VenueStatus.FILLED
    assert second.exchange.ledger.holdings == unbroken.exchange.ledger.holdings


def test_a_journal_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    """Accounts without a passphrase and orders without the later fields."""
    first = start(tmp_path)
    trade(first)
    before = everything(first)
    first.journal.close()
    with sqlite3.connect(tmp_path / "venue.sqlite3") as database:
        rows = database.execute("SELECT order_id, fields FROM orders").fetchall()
        for order_id, text in rows:
            database.execute(
                "UPDATE orders SET fields = ? WHERE order_id = ?", (json.dumps(json.loads(text)[:16]), order_id)
            )
        database.execute("DROP TABLE holdings")
        for column in ("passphrase", "dead_man_ms"):
            database.execute(f"ALTER TABLE accounts DROP COLUMN {column}")
    database.close()
    second = start(tmp_path)
    second.exchange.accounts["paper-1"].passphrase = first.exchange.accounts["paper-1"].passphrase
    assert everything(second) == before


def test_a_state_made_with_another_seed_is_refused(tmp_path: Path) -> None:
    start(tmp_path)
    with pytest.raises(InvariantBroken, match="another seed"):
        start(tmp_path, seed=8)


def test_the_account_is_opened_once(tmp_path: Path) -> None:
    start(tmp_path)
    assert start(tmp_path).exchange.accounts["paper-1"].balance("USDT").total == 100_000
