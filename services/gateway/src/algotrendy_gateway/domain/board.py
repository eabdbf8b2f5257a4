"""The board: the newest of everything the bus tells, kept in memory so that a stream can begin at any moment.

Invariant: each fact on it is the newest known; it holds no history, decides nothing, and can be rebuilt by asking the
other services. Each ``take`` returns what changed, as it goes to the page, or None.
"""

from datetime import datetime, timedelta
from decimal import Decimal

from algotrendy_common.enums import HaltLevel
from algotrendy_common.events.account import BalanceChanged, PositionChanged, ProtectionChanged
from algotrendy_common.events.market import FeedHealthChanged, QuoteChanged, TradePrinted
from algotrendy_common.events.ops import ServiceHealthChanged
from algotrendy_common.events.risk import ApprovalRequested, HaltChanged, RiskStateChanged
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
        self._protections: dict[tuple[str, str, str], ProtectionChanged] = {}
        self._halts: dict[tuple[HaltLevel, str], HaltChanged] = {}
        self._approvals: dict[str, ApprovalRequested] = {}

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

    def take_protection(self, event: ProtectionChanged) -> Position | None:
        """The position as it is guarded now; None where that is not news, or the position not known."""
        key = (event.account, event.venue, event.symbol)
        known = self._protections.get(key)
        if known is not None and event.revision <= known.revision:
            return None
        self._protections[key] = event
        position = self._positions.get(key)
        return None if position is None else self._position(position)

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

    # -- halts and approvals -----------------------------------------------------------------------------------

    def take_halt(self, event: HaltChanged) -> bool:
        key = (event.level, event.key)
        known = self._halts.get(key)
        if known is not None and event.received_time <= known.received_time:
            return False
        self._halts[key] = event
        return True

    def keep_halts(self, keys: set[tuple[HaltLevel, str]], asked_at: datetime) -> None:
        """Forget those that risk does not name any more, but for what was said after it was asked."""
        self._halts = {
            key: halt for key, halt in self._halts.items() if key in keys or halt.received_time > asked_at - SILENCE
        }

    def halts(self) -> tuple[HaltChanged, ...]:
        """Those in force."""
        return tuple(halt for _, halt in sorted(self._halts.items()) if halt.engaged)

    def take_approval(self, event: ApprovalRequested) -> bool:
        order_id = event.terms.order_id
        known = self._approvals.get(order_id)
        if known is not None and event.received_time <= known.received_time:
            return False
        self._approvals[order_id] = event
        return True

    def end_approval(self, order_id: str) -> bool:
        """True where it had been waiting."""
        return self._approvals.pop(order_id, None) is not None

    def approvals(self, now: datetime) -> tuple[ApprovalRequested, ...]:
        """Those that can still be decided, oldest first."""
        self._approvals = {key: one for key, one in self._approvals.items() if one.expires_at > now}
        return tuple(sorted(self._approvals.values(), key=lambda one: one.received_time))

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
        guard = self._protections.get((event.account, event.venue, event.symbol))
        return Position.of(event, self.quotes.get((event.venue, event.symbol)), guard)

    def guard(self, account: str, venue: str, symbol: str) -> ProtectionChanged | None:
        return self._protections.get((account, venue, symbol))

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
