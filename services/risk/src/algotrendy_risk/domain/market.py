"""What risk hears and does not keep: newest quotes, the feeds' health, the instruments, who confirmed which books.

Invariant: everything carries the time it reached us; nothing here is ever made up for something that is missing.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from algotrendy_common.enums import FeedState, Side
from algotrendy_common.events.market import FeedHealthChanged, QuoteChanged
from algotrendy_common.rpc.ingest import InstrumentInfo
from algotrendy_core.instruments import Instrument
from algotrendy_core.limits import Market, Violated

from algotrendy_risk.domain.account_limits import LONGEST_DRIFT, AccountLimits

_USABLE = frozenset({FeedState.LIVE, FeedState.QUIET})


_BUCKET_S = 1.0


@dataclass(slots=True)
class Bucket:
    """A second of an instrument's middle prices."""

    at: datetime
    low: Decimal
    high: Decimal


@dataclass(slots=True)
class MarketView:
    """Filled by the handlers as news comes in; forgotten at a restart and learnt anew."""

    quotes: dict[tuple[str, str], QuoteChanged] = field(default_factory=dict)
    feeds: dict[str, FeedHealthChanged] = field(default_factory=dict)
    instruments: dict[tuple[str, str], Instrument] = field(default_factory=dict)
    confirmed: dict[str, datetime] = field(default_factory=dict)
    """When the broker gateway last said that an account's books agree with the venue's."""
    looked: dict[str, datetime] = field(default_factory=dict)
    """When the broker gateway was last asked for the books that an account now has as observed."""
    past: dict[tuple[str, str], deque[Bucket]] = field(default_factory=dict)
    """Where the price was, second by second, as far back as a drift can be judged over."""

    def take_quote(self, quote: QuoteChanged) -> None:
        key = (quote.venue, quote.symbol)
        known = self.quotes.get(key)
        if known is None or quote.received_time >= known.received_time:
            self.quotes[key] = quote
            self._remember(key, (quote.bid + quote.ask) / 2, quote.received_time)

    def _remember(self, key: tuple[str, str], mark: Decimal, at: datetime) -> None:
        buckets = self.past.setdefault(key, deque(maxlen=int(LONGEST_DRIFT.total_seconds() / _BUCKET_S)))
        if buckets and (at - buckets[-1].at).total_seconds() < _BUCKET_S:
            newest = buckets[-1]
            newest.low, newest.high = min(newest.low, mark), max(newest.high, mark)
        else:
            buckets.append(Bucket(at, mark, mark))

    def take_feed(self, feed: FeedHealthChanged) -> None:
        known = self.feeds.get(feed.venue)
        if known is None or feed.received_time >= known.received_time:
            self.feeds[feed.venue] = feed

    def take_confirmation(self, account: str, at: datetime) -> None:
        known = self.confirmed.get(account)
        if known is None or at > known:
            self.confirmed[account] = at

    def take_instrument(self, info: InstrumentInfo) -> None:
        self.instruments[(info.venue, info.symbol)] = Instrument.model_validate(info.model_dump())

    def mark(self, venue: str, symbol: str) -> Decimal | None:
        """The middle of bid and ask; how old it is, is the caller's affair."""
        quote = self.quotes.get((venue, symbol))
        return None if quote is None else (quote.bid + quote.ask) / 2

    def fee_ratio(self, venue: str, symbol: str) -> Decimal:
        instrument = self.instruments.get((venue, symbol))
        return instrument.taker_fee if instrument else Decimal(0)

    def seen_by(self, venue: str, symbol: str, side: Side, drift_window: timedelta, now: datetime) -> Market:
        """The price that an order would meet: the ask for a buy, the bid for a sell."""
        quote = self.quotes.get((venue, symbol))
        if quote is None:
            return Market(None, None)
        lowest = highest = None
        for bucket in reversed(self.past.get((venue, symbol), ())):
            if now - bucket.at > drift_window:
                break
            lowest = bucket.low if lowest is None else min(lowest, bucket.low)
            highest = bucket.high if highest is None else max(highest, bucket.high)
        reference = quote.ask if side is Side.BUY else quote.bid
        return Market(reference, now - quote.received_time, lowest, highest)

    def feed_problem(self, venue: str, symbol: str, limits: AccountLimits, now: datetime) -> Violated | None:
        """Why prices of this symbol cannot be relied on now; None where they can."""
        feed = self.feeds.get(venue)
        if feed is None:
            return Violated("feed_unknown", f"nothing is known of the feed of {venue}")
        silence = now - feed.received_time
        if silence > limits.max_feed_silence:
            return Violated(
                "feed_silent",
                f"the feed of {venue} was not heard of",
                f"{limits.max_feed_silence.total_seconds():g}",
                f"{silence.total_seconds():g}",
            )
        if feed.state not in _USABLE:
            return Violated(f"feed_{feed.state.value}", f"the feed of {venue} is {feed.state.value}", None, feed.state)
        if symbol in feed.stale_symbols:
            return Violated("feed_stale", f"{symbol} is stale on {venue}", None, symbol)
        return None
