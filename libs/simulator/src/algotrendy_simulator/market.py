"""One symbol of the simulated venue: its book, its tape and its candles.

Invariant: every trade of the matching engine is on the tape once and in the running candle once.
"""

from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal

from algotrendy_common.clock import from_ms
from algotrendy_core.instruments import Instrument
from algotrendy_core.matching import Matched, MatchingEngine, NewOrder, OrderRefused, Trade

from algotrendy_simulator.candles import CandleHistory
from algotrendy_simulator.events import TapeTrade

TAPE_KEPT = 2_000


@dataclass(slots=True)
class Market:
    instrument: Instrument
    wire_symbol: str
    """As the venue writes it, ``BTCUSDT``."""
    engine: MatchingEngine
    candles: CandleHistory
    tape: deque[TapeTrade] = field(default_factory=lambda: deque(maxlen=TAPE_KEPT))

    @property
    def last_price(self) -> Decimal:
        return self.candles.running.close

    def submit(self, order: NewOrder, time_ms: int) -> tuple[Matched | OrderRefused, list[TapeTrade]]:
        """Match an order and print its trades."""
        outcome = self.engine.submit(order, from_ms(time_ms))
        if isinstance(outcome, OrderRefused):
            return outcome, []
        return outcome, [self._print(trade, time_ms) for trade in outcome.trades]

    def _print(self, trade: Trade, time_ms: int) -> TapeTrade:
        printed = TapeTrade(
            self.wire_symbol,
            trade.sequence,
            time_ms,
            trade.price,
            trade.quantity,
            trade.taker_side,
            trade.taker_order_id,
            trade.maker_order_id,
        )
        self.tape.append(printed)
        self.candles.add_trade(trade.price, trade.quantity, trade.taker_side)
        return printed
