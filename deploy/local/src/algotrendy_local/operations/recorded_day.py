"""What a strategy did live, collected from the services of the running stack: each tells what it keeps.

Signals and state come from the agent, orders and fills from the broker gateway, refusals from risk, candles and quotes
from ingest. Invariant: decisions and orders are matched by the time of their bar, which in a replay is the recording's;
the wall clock says which quote came last before a fill, and when to stop asking for older pages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from algotrendy_common.enums import OrderSource
from algotrendy_common.errors import Refused
from algotrendy_common.events.order import OrderFilled, OrderRefused, OrderUpdated
from algotrendy_common.events.signal import SignalRaised, StrategyStateChanged
from algotrendy_common.ids import derived_id
from algotrendy_common.money import ZERO
from algotrendy_common.rpc import agent, broker_gateway, ingest, risk
from algotrendy_common.rpc.call import Nothing
from algotrendy_core.bars import Bar
from algotrendy_core.instruments import Instrument
from algotrendy_core.parity.records import LiveDay, LiveFill, LiveOrder, LiveSignal
from algotrendy_core.strategies.interface import AnyStrategy
from algotrendy_core.strategies.registry import parameters_of, strategy_named

from algotrendy_local.operations.asking import Asker

_CANDLES = 1000
_SIGNALS = 500
_ORDERS = 200
"""A page of each; answers stay well below what the bus carries in one message."""
_DAY = timedelta(days=1)
_AFTER = 3
"""Candles after the last decision that are asked for: its order is filled in the first of them."""


@dataclass(frozen=True, slots=True)
class Span:
    """Openings of bars, by the venue's clock; None: the day before the newest bar that the strategy took."""

    start: datetime | None = None
    end: datetime | None = None


async def strategies(asker: Asker) -> dict[str, StrategyStateChanged]:
    """As they stand, by id."""
    return {state.strategy: state for state in (await asker.ask(agent.STRATEGIES, Nothing())).strategies}


async def recorded(asker: Asker, state: StrategyStateChanged, span: Span, among: Mapping[str, AnyStrategy]) -> LiveDay:
    """Raises Refused where there is nothing to compare, with the reason."""
    if state.last_bar_time is None:
        raise Refused("nothing_live", f"{state.strategy} has not taken a bar yet")
    strategy = strategy_named(state.strategy_kind, among)
    if strategy.rungs is not None:
        raise Refused("ladder_not_compared", f"{strategy.name} keeps orders at rest; only targets are compared")
    step = timedelta(seconds=state.timeframe.seconds)
    closing = min(span.end - step, state.last_bar_time) if span.end else state.last_bar_time
    begins = span.start or closing - _DAY + step
    signals = await _signals(asker, state, begins - step)
    if not signals:
        raise Refused("nothing_live", f"{state.strategy} has not decided anything live in that time")
    parameters = parameters_of(strategy, state.parameters)
    bars = await _bars(asker, state)
    # Of bars that its present state was not made of nothing can be said: it was another state that decided.
    known = bars[min(strategy.warm_up(parameters), len(bars)) - 1].open_time
    opening = max(begins, _bar_time(signals[0]), known)
    if opening > closing:
        raise Refused("nothing_live", f"{state.strategy} decided nothing in that time with the state it has now")
    return LiveDay(
        strategy_id=state.strategy,
        strategy=strategy,
        parameters=parameters,
        instrument=await _instrument(asker, state),
        bars=tuple(bar for bar in bars if bar.open_time <= closing + _AFTER * step),
        opening=opening,
        closing=closing,
        signals=tuple(LiveSignal(_bar_time(one), one.target, one.reason) for one in signals),
        orders=tuple(await _orders(asker, state, signals, bars, opening, closing)),
    )


def _bar_time(signal: SignalRaised) -> datetime:
    """A closed bar's event bears the end of its interval, and the signal that follows bears the same."""
    return signal.event_time - timedelta(seconds=signal.timeframe.seconds)


async def _signals(asker: Asker, state: StrategyStateChanged, begins: datetime) -> list[SignalRaised]:
    """Oldest first, back to one that was raised before ``begins`` if there is any."""
    found: list[SignalRaised] = []
    before: datetime | None = None
    while True:
        asked = agent.SignalsAsked(limit=_SIGNALS, strategy=state.strategy, before=before)
        page = (await asker.ask(agent.SIGNALS, asked)).signals
        found += page
        if len(page) < _SIGNALS or _bar_time(page[-1]) < begins:
            break
        before = page[-1].received_time
    found.reverse()
    earlier = sum(_bar_time(one) < begins for one in found)
    return found[max(earlier - 1, 0) :]


async def _instrument(asker: Asker, state: StrategyStateChanged) -> Instrument:
    for info in (await asker.ask(ingest.INSTRUMENTS, Nothing())).instruments:
        if (info.venue, info.symbol) == (state.venue, state.symbol):
            return Instrument(**info.model_dump())
    raise Refused("unknown_instrument", f"{state.symbol} is not traded on {state.venue}")


async def _bars(asker: Asker, state: StrategyStateChanged) -> list[Bar]:
    """All that the strategy's state was made of, and a few more."""
    assert state.last_bar_time is not None
    found: list[Bar] = []
    step = timedelta(seconds=state.timeframe.seconds)
    end = state.last_bar_time + (_AFTER + 1) * step
    wanted = state.bars_taken
    while sum(bar.open_time <= state.last_bar_time for bar in found) < wanted:
        asked = ingest.CandlesAsked(
            venue=state.venue, symbol=state.symbol, timeframe=state.timeframe, end=end, limit=_CANDLES
        )
        page = (await asker.ask(ingest.CANDLES, asked)).candles
        if not page:
            break  # older ones are kept no more: its first bars are not those that the state began with
        found = [_bar(state, candle) for candle in page] + found
        end = page[0].open_time
    taken = sum(bar.open_time <= state.last_bar_time for bar in found)
    if not taken:
        raise Refused("no_bars", f"ingest has no candles of {state.symbol} any more")
    return found[max(taken - wanted, 0) :]


def _bar(state: StrategyStateChanged, candle: ingest.Candle) -> Bar:
    return Bar(
        state.timeframe, candle.open_time, candle.open, candle.high, candle.low, candle.close, candle.volume,
        quote_volume=ZERO, trade_count=0, complete=candle.closed,
    )  # fmt: skip


# -- orders ----------------------------------------------------------------------------------------------------


async def _orders(
    asker: Asker,
    state: StrategyStateChanged,
    signals: Sequence[SignalRaised],
    bars: Sequence[Bar],
    opening: datetime,
    closing: datetime,
) -> list[LiveOrder]:
    since = signals[0].received_time
    # An order's id follows from its bar, so an order that does not say what it was sized by still says when.
    bars_by_id = {derived_id(state.strategy, state.symbol, bar.open_time.isoformat(), 0): bar.open_time for bar in bars}
    told_of: list[OrderUpdated | OrderRefused] = [*await _sent(asker, state, since), *await _refused(asker, state)]
    found = []
    for told in told_of:
        basis = told.origin.sized_from
        bar_time = basis.bar_time if basis else bars_by_id.get(told.terms.order_id)
        if bar_time is None or not opening <= bar_time <= closing:
            continue
        fills = await _fills(asker, told) if isinstance(told, OrderUpdated) and told.filled_quantity else ()
        target = basis.target if basis else _target_at(signals, bar_time)
        found.append(
            LiveOrder(
                order_id=told.terms.order_id,
                bar_time=bar_time,
                side=told.terms.side,
                quantity=told.terms.quantity,
                target=target,
                outcome=told.status.value if isinstance(told, OrderUpdated) else f"refused: {told.code}",
                fills=tuple(_fill(fill, state) for fill in fills),
                arrival_price=await _arrival(asker, told, bar_time, fills) if fills else None,
                sized_from=basis if told.terms.account == state.account else None,
            )
        )
    return sorted(found, key=lambda order: order.bar_time)


def _target_at(signals: Sequence[SignalRaised], bar_time: datetime) -> Decimal:
    return next((one.target for one in reversed(signals) if _bar_time(one) <= bar_time), ZERO)


async def _sent(asker: Asker, state: StrategyStateChanged, since: datetime) -> list[OrderUpdated]:
    """Its own orders on any account (another may have stood in)."""
    found: list[OrderUpdated] = []
    for account in (await asker.ask(broker_gateway.ACCOUNTS, Nothing())).accounts:
        before: datetime | None = None
        while True:
            asked = broker_gateway.OrdersAsked(account=account.account, limit=_ORDERS, before=before)
            page = (await asker.ask(broker_gateway.ORDERS, asked)).orders
            found += [order for order in page if _own(order, state)]
            if len(page) < _ORDERS or page[-1].created_at < since:
                break
            before = page[-1].created_at
    return found


async def _refused(asker: Asker, state: StrategyStateChanged) -> list[OrderRefused]:
    asked = risk.RefusalsAsked(account=state.account, limit=_ORDERS)
    return [order for order in (await asker.ask(risk.REFUSALS, asked)).refusals if _own(order, state)]


def _own(order: OrderUpdated | OrderRefused, state: StrategyStateChanged) -> bool:
    """To a target; what guards a position comes from the broker gateway."""
    return (order.origin.strategy, order.origin.source) == (state.strategy, OrderSource.STRATEGY)


async def _fills(asker: Asker, order: OrderUpdated) -> tuple[OrderFilled, ...]:
    return (await asker.ask(broker_gateway.ORDER, broker_gateway.OrderAsked(order_id=order.terms.order_id))).fills


def _fill(fill: OrderFilled, state: StrategyStateChanged) -> LiveFill:
    base, _, quote = state.symbol.partition("-")
    if fill.fee and fill.fee_currency not in (base, quote):
        raise Refused("fee_not_priced", f"a fee of {fill.order_id} was taken in {fill.fee_currency}")
    return LiveFill(
        time=fill.event_time,
        price=fill.price,
        quantity=fill.quantity,
        fee_quote=fill.fee if fill.fee_currency == quote else ZERO,
        fee_base=fill.fee if fill.fee_currency == base else ZERO,
    )


async def _arrival(
    asker: Asker, order: OrderUpdated | OrderRefused, bar_time: datetime, fills: Sequence[OrderFilled]
) -> Decimal | None:
    """The middle of the last quote that came before the first fill; what the proposer saw where none was kept.

    Fills bear the venue's real time even in a replay, so that they are compared with when a quote was received.
    """
    asked = ingest.QuoteBeforeAsked(
        venue=order.terms.venue,
        symbol=order.terms.symbol,
        since=bar_time,
        received_before=min(fill.event_time for fill in fills),
    )
    quote = (await asker.ask(ingest.QUOTE_BEFORE, asked)).quote
    return (quote.bid + quote.ask) / 2 if quote else order.origin.reference_price
