"""What the agent hears and does not keep: newest quotes, the accounts' equity, the instruments."""

from dataclasses import dataclass, field
from decimal import Decimal

from algotrendy_common.enums import HaltLevel
from algotrendy_common.events.market import BarUpdated, QuoteChanged
from algotrendy_common.events.risk import HaltChanged, RiskStateChanged
from algotrendy_common.money import ZERO
from algotrendy_common.rpc.ingest import Candle
from algotrendy_core.bars import Bar
from algotrendy_core.instruments import Instrument

from algotrendy_agent.domain.instance import StrategyConfig
from algotrendy_agent.domain.plan import Nothing, Surroundings


@dataclass(slots=True)
class MarketView:
    quotes: dict[tuple[str, str], QuoteChanged] = field(default_factory=dict)
    accounts: dict[str, RiskStateChanged] = field(default_factory=dict)
    instruments: dict[tuple[str, str], Instrument] = field(default_factory=dict)
    halts: dict[tuple[HaltLevel, str], HaltChanged] = field(default_factory=dict)

    def take_quote(self, quote: QuoteChanged) -> None:
        known = self.quotes.get((quote.venue, quote.symbol))
        if known is None or quote.received_time >= known.received_time:
            self.quotes[(quote.venue, quote.symbol)] = quote

    def take_account(self, state: RiskStateChanged) -> None:
        known = self.accounts.get(state.account)
        if known is None or state.revision > known.revision:
            self.accounts[state.account] = state

    def take_halt(self, halt: HaltChanged) -> None:
        key = (halt.level, halt.key)
        known = self.halts.get(key)
        if known is None or halt.received_time >= known.received_time:
            self.halts[key] = halt

    def halted(self, config: StrategyConfig) -> Nothing | None:
        """Why a strategy proposes nothing: risk would refuse it anyway, this only spares the noise."""
        for key in (
            (HaltLevel.GLOBAL, "*"),
            (HaltLevel.ACCOUNT, config.account),
            (HaltLevel.STRATEGY, config.strategy),
        ):
            halt = self.halts.get(key)
            if halt is not None and halt.engaged:
                return Nothing(f"halted ({halt.level.value}) by {halt.by}: {halt.reason}")
        return None

    def around(self, config: StrategyConfig, close: Decimal, reserve: Decimal) -> Surroundings:
        key = (config.venue, config.symbol)
        quote, account = self.quotes.get(key), self.accounts.get(config.account)
        return Surroundings(
            price=(quote.bid + quote.ask) / 2 if quote else close,
            equity=account.equity if account else None,
            instrument=self.instruments.get(key),
            reserve=reserve,
        )


def bar_of_event(event: BarUpdated) -> Bar:
    """As strategies read it; the quote volume is not known here and none of them reads it."""
    return Bar(
        event.timeframe, event.open_time, event.open, event.high, event.low, event.close, event.volume,
        quote_volume=ZERO, trade_count=event.trade_count, complete=True,
    )  # fmt: skip


def bar_of_candle(config: StrategyConfig, candle: Candle) -> Bar:
    return Bar(
        config.timeframe, candle.open_time, candle.open, candle.high, candle.low, candle.close, candle.volume,
        quote_volume=ZERO, trade_count=0, complete=True,
    )  # fmt: skip
