"""An account as everybody else sees it."""

from datetime import datetime
from typing import Any

from algotrendy_risk.domain.book import AccountBook
from algotrendy_risk.domain.market import MarketView
from algotrendy_risk.domain.valuation import limit_uses, value


def state_fields(book: AccountBook, market: MarketView, now: datetime) -> dict[str, Any]:
    """The fields of ``RiskStateChanged``, but for its revision."""
    worth = value(book, market)
    return {
        "account": book.account,
        "trading_state": book.trading_state(market.confirmed.get(book.account), now),
        "halted_by": book.halt.by if book.halt else None,
        "halted_reason": book.halt.reason if book.halt else None,
        "halted_since": book.halt.since if book.halt else None,
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
