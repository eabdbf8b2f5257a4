"""The board: the newest of everything the bus tells, kept in memory so that a stream can begin at any moment.

Invariant: each fact on it is the newest known; it holds no history, decides nothing, and can be rebuilt by asking the
other services. Each ``take`` returns what changed, as it goes to the page, or None.
"""

from datetime import datetime, timedelta
from decimal import Decimal

from algotrendy_common.events.account import BalanceChanged, PositionChanged
from algotrendy_common.events.market import FeedHealthChanged, QuoteChanged, TradePrinted
from algotrendy_common.events.ops import ServiceHealthChanged
from algotrendy_common.events.risk import RiskStateChanged
from algotrendy_common.events.signal import StrategyStateChanged
from algotrendy_common.subjects import SERVICES

from algotrendy_gateway.domain.accounts import Account, Balance, Position, ServiceState
from algotrendy_gateway.domain.latency import Latency
from algotrendy_gateway.domain.market import Feed, Instrument, Quote
from algotrendy_gateway.domain.order_list import OrderList
from algotrendy_gateway.domain.strategies import Strategy

SILENCE = timedelta(seconds=6)
"""Three heartbeats: a service that was not heard for this long is missing."""

Market = tuple[str, str]
"""Venue and symbol."""


class Board:
    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.instruments: dict[Market, Instrument] = {}
        self.quotes: dict[Market, Quote] = {}
        self.orders = OrderList()
        self.risk: dict[str, RiskStateChanged] = {}
        self.latency = Latency()
        self._last: dict[Market, tuple[datetime, Decimal]] = {}
        self._feeds: dict[str, FeedHealthChanged] = {}
        self._positions: dict[tuple[str, str, str], PositionChanged] = {}
        self._balances: dict[str, BalanceChanged] = {}
        self._strategies: dict[str, StrategyStateChanged] = {}
        self._services: dict[str, ServiceHealthChanged] = {}

    # -- market ------------------------------------------------------------------------------------------------

    def take_quote(self, event: QuoteChanged, last: Decimal | None = None) -> Quote | None:
        """``last``: price of a trade that was not seen here, for want of one that was."""
        market = (event.venue, event.symbol)
        known = self.quotes.get(market)
        if known is not None and event.received_time <= known.received_time:
            return None
        if last is not None:
            self._last.setdefault(market, (event.event_time, last))
        printed = self._last.get(market)
        quote = Quote.of(event, None if printed is None else printed[1])
        self.quotes[market] = quote
        return quote

    def take_trade(self, event: TradePrinted) -> None:
        """Its price is the quote's ``last`` from the next quote on."""
        market = (event.venue, event.symbol)
        known = self._last.get(market)
        if known is None or event.event_time >= known[0]:
            self._last[market] = (event.event_time, event.price)

    def take_feed(self, event: FeedHealthChanged, now: datetime) -> Feed | None:
        known = self._feeds.get(event.venue)
        if known is not None and event.received_time <= known.received_time:
            return None
        self._feeds[event.venue] = event
        return self._feed(event, now)

    def feeds(self, now: datetime) -> tuple[Feed, ...]:
        return tuple(self._feed(event, now) for _, event in sorted(self._feeds.items()))

    @property
    def replay(self) -> bool:
        """True where any venue plays recorded data."""
        return any(event.replay for event in self._feeds.values())

    # -- accounts ----------------------------------------------------------------------------------------------

    def take_position(self, event: PositionChanged) -> Position | None:
        key = (event.account, event.venue, event.symbol)
        known = self._positions.get(key)
        if known is not None and event.revision <= known.revision:
            return None
        self._positions[key] = event
        return self._position(event)

    def positions(self, account: str) -> tuple[Position, ...]:
        """Open ones, at the newest marks."""
        mine = (event for key, event in sorted(self._positions.items()) if key[0] == account)
        return tuple(self._position(event) for event in mine if event.quantity)

    def take_balance(self, event: BalanceChanged) -> tuple[Balance, ...]:
        """The assets that changed."""
        known = self._balances.get(event.account)
        if known is not None and event.received_time <= known.received_time:
            return ()
        before = set() if known is None else set(balances_of(known))
        self._balances[event.account] = event
        return tuple(balance for balance in balances_of(event) if balance not in before)

    def balances(self, account: str) -> tuple[Balance, ...]:
        event = self._balances.get(account)
        return () if event is None else balances_of(event)

    def take_risk(self, event: RiskStateChanged) -> bool:
        """Risk counts its revisions anew when it starts anew, so the later of two is the one said later."""
        known = self.risk.get(event.account)
        if known is not None and event.received_time <= known.received_time:
            return False
        self.risk[event.account] = event
        return True

    # -- strategies and services -------------------------------------------------------------------------------

    def take_strategy(self, event: StrategyStateChanged) -> Strategy | None:
        known = self._strategies.get(event.strategy)
        if known is not None and event.revision <= known.revision and event.received_time <= known.received_time:
            return None
        self._strategies[event.strategy] = event
        return Strategy.of(event)

    def strategies(self) -> tuple[Strategy, ...]:
        return tuple(Strategy.of(event) for _, event in sorted(self._strategies.items()))

    def take_heartbeat(self, event: ServiceHealthChanged) -> None:
        self._services[event.service] = event

    def services(self, now: datetime) -> tuple[ServiceState, ...]:
        return tuple(self._service(name, now) for name in SERVICES)

    def missing(self, now: datetime) -> tuple[str, ...]:
        """Services that were not heard of late."""
        return tuple(service.service for service in self.services(now) if service.state == "missing")

    # -- how a fact looks now ----------------------------------------------------------------------------------

    def _feed(self, event: FeedHealthChanged, now: datetime) -> Feed:
        return Feed.of(event, heard=now - event.received_time < SILENCE)

    def _position(self, event: PositionChanged) -> Position:
        return Position.of(event, self.quotes.get((event.venue, event.symbol)))

    def _service(self, name: str, now: datetime) -> ServiceState:
        beat = self._services.get(name)
        if beat is None:
            return ServiceState(service=name, state="missing", detail="not heard yet", time=None)
        if now - beat.received_time > SILENCE:
            detail = f"silent for {(now - beat.received_time).total_seconds():.0f} s"
            return ServiceState(service=name, state="missing", detail=detail, time=beat.received_time)
        state = "ready" if beat.ready else "not_ready"
        return ServiceState(service=name, state=state, detail=beat.detail, time=beat.received_time)


def balances_of(event: BalanceChanged) -> tuple[Balance, ...]:
    return tuple(Balance(account=event.account, **dict(asset)) for asset in event.balances)
