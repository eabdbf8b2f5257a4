from decimal import Decimal
from pathlib import Path

import pytest
from algotrendy_common.enums import OrderType, Side, TimeInForce
from algotrendy_common.errors import InvariantBroken
from algotrendy_simulator.orders import OrderRequest
from algotrendy_simulator.settings import SimulatorSettings
from algotrendy_simulator.simulation import Simulation, build_simulation


def start(state: Path | None, seed: int = 7) -> Simulation:
    return build_simulation(SimulatorSettings(seed=seed, paused=True, history=20, state=state))


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


def everything(simulation: Simulation) -> object:
    exchange = simulation.exchange
    return (
        simulation.replay.cursor,
        [track.tape_hash for track in simulation.replay.tracks],
        {name: dict(account.balances) for name, account in exchange.accounts.items()},
        exchange.orders,
        exchange.fills,
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


def test_a_state_made_with_another_seed_is_refused(tmp_path: Path) -> None:
    start(tmp_path)
    with pytest.raises(InvariantBroken, match="another seed"):
        start(tmp_path, seed=8)


def test_the_account_is_opened_once(tmp_path: Path) -> None:
    start(tmp_path)
    assert start(tmp_path).exchange.accounts["paper-1"].balance("USDT").total == 100_000
