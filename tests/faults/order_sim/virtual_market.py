"""The market around the account: its instruments, its prices, and a crowd that quotes and trades.

Invariant: prices move in the seed's own steps; after each step there is a bid, an ask and a last trade between which
every order's fate can be judged.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from algotrendy_common.enums import OrderType, Side, TimeInForce
from algotrendy_common.events.order import OrderTerms
from algotrendy_core.instruments import Instrument
from algotrendy_core.matching import MatchingEngine, NewOrder
from algotrendy_simulator.candles import CandleHistory, TapeCandle
from algotrendy_simulator.changes import Changes
from algotrendy_simulator.engine import Exchange as Engine
from algotrendy_simulator.events import TapeTrade
from algotrendy_simulator.market import Market

NAME = "virtual"
FEE = Decimal("0.001")
_PRICES = {"BTC-USDT": Decimal(50_000), "ETH-USDT": Decimal(3_000)}
SYMBOLS = tuple(_PRICES)
_STEP = Decimal("0.01")


def instrument(symbol: str) -> Instrument:
    base, quote = symbol.split("-")
    return _INSTRUMENTS.get(symbol) or Instrument(
        venue=NAME,
        symbol=symbol,
        base=base,
        quote=quote,
        price_step=_STEP,
        quantity_step=Decimal("0.0001"),
        min_quantity=Decimal("0.0001"),
        max_quantity=Decimal(100),
        min_notional=Decimal(5),
        maker_fee=FEE,
        taker_fee=FEE,
    )


_INSTRUMENTS: dict[str, Instrument] = {}
_INSTRUMENTS.update({symbol: instrument(symbol) for symbol in SYMBOLS})


def markets() -> dict[str, Market]:
    return {
        symbol: Market(instrument(symbol), symbol, MatchingEngine(), CandleHistory(TapeCandle.flat(0, _PRICES[symbol])))
        for symbol in SYMBOLS
    }


def wire_price(price: Decimal, side: Side) -> Decimal:
    """On the grid, and no more aggressive."""
    return instrument(SYMBOLS[0]).round_price_passively(price, side)


def by_hand(order_id: str, symbol: str, side: Side, quantity: Decimal, price: Decimal) -> OrderTerms:
    """An order that somebody makes on the account outside the platform."""
    return OrderTerms(
        order_id=order_id,
        account="by-hand",
        venue=NAME,
        symbol=symbol,
        side=side,
        type=OrderType.LIMIT,
        quantity=quantity,
        limit_price=price,
        time_in_force=TimeInForce.GTC,
    )


@dataclass(frozen=True, slots=True)
class Look:
    """What a feed tells of a symbol."""

    symbol: str
    bid: Decimal
    ask: Decimal
    last: Decimal
    side: Side
    """Of the last trade's taker."""


class Crowd:
    def __init__(
        self, engine: Engine, chance: random.Random, numbers: Iterator[int], now_s: Callable[[], float]
    ) -> None:
        self._engine = engine
        self._chance = chance
        self._numbers = numbers
        self._now_s = now_s
        self.prices = dict(_PRICES)
        self._quotes: dict[str, list[str]] = {symbol: [] for symbol in _PRICES}

    def tick(self, drift: Decimal | None = None) -> None:
        """The crowd changes its mind: new prices around, and somebody takes. ``drift`` says which way they go."""
        for symbol, market in self._engine.markets.items():
            for order_id in self._quotes[symbol]:
                market.engine.cancel(order_id)
            self._quotes[symbol].clear()
            step = 1 + drift if drift is not None else Decimal(self._chance.randint(9985, 10015)) / 10_000
            price = self.prices[symbol] = (self.prices[symbol] * step).quantize(_STEP)
            printed: list[TapeTrade] = []
            for side in Side:
                for level in range(2):
                    away = price * (Decimal(level * 4 + 2) / 10_000)
                    at = (price - away * side.sign).quantize(_STEP)
                    printed += self._quote(market, symbol, side, at, Decimal(self._chance.randint(5, 60)) / 100)
            taker = self._chance.choice((Side.BUY, Side.SELL))
            printed += self._send(market, taker, OrderType.MARKET, Decimal("0.01"), None)[1]
            changes = Changes()
            self._engine.settle(changes, printed)
            self._engine.finish(changes)

    def looks(self) -> Iterator[Look]:
        """After a tick."""
        for symbol, market in self._engine.markets.items():
            bid, ask = market.engine.book.best(Side.BUY), market.engine.book.best(Side.SELL)
            if bid is not None and ask is not None and market.tape:
                yield Look(symbol, bid, ask, market.last_price, market.tape[-1].taker_side)

    def _quote(self, market: Market, symbol: str, side: Side, price: Decimal, quantity: Decimal) -> list[TapeTrade]:
        order_id, printed = self._send(market, side, OrderType.LIMIT, quantity, price)
        self._quotes[symbol].append(order_id)
        return printed

    def _send(
        self, market: Market, side: Side, kind: OrderType, quantity: Decimal, price: Decimal | None
    ) -> tuple[str, list[TapeTrade]]:
        order_id = str(next(self._numbers))
        new = NewOrder(order_id, "crowd", side, kind, quantity, price)
        return order_id, market.submit(new, int(self._now_s() * 1000))[1]
