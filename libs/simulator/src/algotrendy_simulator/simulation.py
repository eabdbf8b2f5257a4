"""A simulated venue without its wire: recordings, markets, exchange and replay, wired and restored from the journal.

Invariant: built twice from the same settings on the same journal it is the same venue at the same place.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from algotrendy_common.clock import Clock, SystemClock, monotonic_s
from algotrendy_common.enums import Side
from algotrendy_common.errors import InvariantBroken
from algotrendy_core.matching import MatchingEngine
from algotrendy_core.order_book import OrderBook, RestingOrder

from algotrendy_simulator.candles import KEPT_MINUTES, CandleHistory, TapeCandle
from algotrendy_simulator.changes import Changes
from algotrendy_simulator.crowd import Crowd
from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.events import BookChanged, MinuteClosed
from algotrendy_simulator.journal import Journal, Restored, fields_of, record_of
from algotrendy_simulator.listings import Listing, read_listings
from algotrendy_simulator.market import Market
from algotrendy_simulator.recordings import Recording
from algotrendy_simulator.replay import Replay, Track
from algotrendy_simulator.replay_clock import ReplayClock
from algotrendy_simulator.settings import SimulatorSettings
from algotrendy_simulator.ticks import MINUTE_MS


class OrderIds(Iterator[int]):
    """Ids of all orders of the venue, the crowd's among them, in one rising row."""

    def __init__(self, last: int) -> None:
        self.last = last

    def __next__(self) -> int:
        self.last += 1
        return self.last


@dataclass(slots=True)
class Simulation:
    settings: SimulatorSettings
    exchange: Exchange
    replay: Replay
    clock: Clock
    journal: Journal


def build_simulation(settings: SimulatorSettings) -> Simulation:
    """Raises ``InvariantBroken`` where the journal was written with another seed."""
    journal = Journal(settings.state)
    state = journal.state()
    if state and (state["seed"], state["listings"]) != (settings.seed, _fingerprint(settings)):
        raise InvariantBroken("the state was made with another seed or other data", directory=settings.state)
    restored = journal.restore()
    listings = read_listings(settings.data, settings.venue)
    recordings = [listing.read(settings.data, settings.trades_per_minute) for listing in listings]
    start_ms = recordings[0].start_ms
    cursor: tuple[int, int] = tuple(state["cursor"]) if state else (settings.history, 0)
    order_ids = OrderIds(state["last_order_id"] if state else 0)
    clock = SystemClock()
    tracks = []
    for listing, recording in zip(listings, recordings, strict=True):
        market, tape_hash = _market(listing, recording, settings.seed, start_ms, cursor[0], state, restored)
        crowd = Crowd(market, listing.shape, settings.seed, order_ids)
        tracks.append(Track(market, recording, crowd, start_ms - recording.start_ms, tape_hash))
    venue_ms = state["venue_ms"] if state else start_ms + cursor[0] * MINUTE_MS
    venue_clock = ReplayClock(venue_ms, settings.speed, settings.paused, monotonic_s)
    markets = {track.market.wire_symbol: track.market for track in tracks}
    exchange = Exchange(
        markets,
        clock,
        venue_time_ms=lambda: replay.order_time_ms(),
        next_order_id=order_ids,
        commit=lambda changes: _commit(journal, changes, exchange, replay, order_ids, settings),
    )
    exchange.restore(restored.accounts, restored.orders, restored.fills, restored.holdings)
    replay = Replay(exchange, tracks, venue_clock, start_ms, settings.seed, cursor)
    if not state:
        for track in tracks:
            track.crowd.quote(track.market.last_price, Side.BUY)
        exchange.finish(Changes(events=[BookChanged(symbol) for symbol in markets]))
        exchange.open_account(
            settings.account,
            settings.key,
            settings.secret.get_secret_value(),
            {"USDT": settings.quote_balance},
            settings.passphrase.get_secret_value(),
        )
    return Simulation(settings, exchange, replay, clock, journal)


def _market(
    listing: Listing,
    recording: Recording,
    seed: int,
    start_ms: int,
    minute: int,
    state: dict[str, Any],
    restored: Restored,
) -> tuple[Market, str]:
    symbol = listing.wire_symbol
    kept: dict[str, Any] | None = state.get(symbol)
    history = _history(recording, f"{seed}:{symbol}", start_ms, minute, restored.candles.get(symbol, []))
    if kept is None:
        return Market(listing.instrument, symbol, MatchingEngine(), history), ""
    history.running = record_of(TapeCandle, kept["running"])
    book = OrderBook()
    for values in kept["book"]:
        book.add(record_of(RestingOrder, values))
    book.sequence = kept["book_sequence"]
    market = Market(listing.instrument, symbol, MatchingEngine(book, kept["trade_sequence"]), history)
    market.tape.extend(restored.tape.get(symbol, []))
    return market, kept["tape_hash"]


def _history(recording: Recording, seed: str, start_ms: int, minute: int, journaled: list[TapeCandle]) -> CandleHistory:
    """The minutes before ``minute``: as they were played where they were, as recorded before that."""
    played = {candle.open_time_ms: candle for candle in journaled}
    first = next((candle for index in range(recording.minutes) if (candle := recording.candle(index))), None)
    price = first.open if first else Decimal(1)
    history = CandleHistory(TapeCandle.flat(start_ms, price))
    for past in range(max(0, minute - KEPT_MINUTES), minute):
        open_ms = start_ms + past * MINUTE_MS
        minute_candle = played.get(open_ms)
        if minute_candle is None:
            minute_candle = TapeCandle.flat(open_ms, price)
            for tick in recording.ticks(past % recording.minutes, f"{seed}:{past}"):
                minute_candle = minute_candle.with_trade(tick.price, tick.quantity, tick.side)
        history.put(minute_candle)
        price = minute_candle.close
    history.running = TapeCandle.flat(start_ms + minute * MINUTE_MS, price)
    return history


def _commit(
    journal: Journal,
    changes: Changes,
    exchange: Exchange,
    replay: Replay,
    order_ids: OrderIds,
    settings: SimulatorSettings,
) -> None:
    state: dict[str, Any] = {
        "seed": settings.seed,
        "listings": _fingerprint(settings),
        "cursor": replay.cursor,
        "venue_ms": replay.clock.now_ms(),
        "last_order_id": order_ids.last,
    }
    touched = {event.symbol for event in changes.events if isinstance(event, BookChanged | MinuteClosed)}
    for track in replay.tracks:
        if track.market.wire_symbol in touched:
            state[track.market.wire_symbol] = _market_state(track)
    journal.write(changes, exchange.ledger, state)


def _market_state(track: Track) -> dict[str, Any]:
    book = track.market.engine.book
    return {
        "running": fields_of(track.market.candles.running),
        "book": [fields_of(order) for side in Side for order in book.orders(side)],
        "book_sequence": book.sequence,
        "trade_sequence": track.market.engine.last_sequence,
        "tape_hash": track.tape_hash,
    }


def _fingerprint(settings: SimulatorSettings) -> str:
    text = (settings.data / "listings.json").read_bytes() + str(settings.trades_per_minute).encode()
    return hashlib.sha256(text).hexdigest()
