"""An account as everybody else sees it."""

from datetime import datetime
from typing import Any

from algotrendy_common.events.risk import TradingState

from algotrendy_risk.domain.book import AccountBook
from algotrendy_risk.domain.halts import Halt
from algotrendy_risk.domain.market import MarketView
from algotrendy_risk.domain.valuation import limit_uses, value


def state_fields(book: AccountBook, market: MarketView, halt: Halt | None, now: datetime) -> dict[str, Any]:
    """The fields of ``RiskStateChanged``, but for its revision; ``halt`` is the one over the account. It beats all."""
    state = book.trading_state(market.confirmed.get(book.account), now)
    worth = value(book, market)
    return {
        "account": book.account,
        "trading_state": TradingState.HALTED if halt else state,
        "halted_by": halt.by if halt else None,
        "halted_reason": halt.reason if halt else None,
        "halted_since": halt.since if halt else None,
        "quote_currency": book.quote,
        "equity": worth.equity,
        "cash": book.cash,
        "day_pnl": worth.day_pnl,
        "day_realised": worth.day_realised,
        "day_unrealised": worth.day_unrealised,
        "day_fees": worth.day_fees,
        "exposure_gross": worth.held,
        "exposure_reserved": worth.reserved,
        "drawdown_ratio": worth.drawdown,
        "limits": limit_uses(book, worth),
    }
