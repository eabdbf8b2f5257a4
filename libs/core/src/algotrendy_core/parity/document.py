"""A parity report as plain values, for JSON.

Invariant: numbers are texts with all their digits; an average price, which need not end, has those of the context.
"""

from dataclasses import fields
from decimal import Decimal
from typing import Any

from algotrendy_common.money import plain

from algotrendy_core.parity.comparison import DecisionRow, OrderRow, ParityReport
from algotrendy_core.parity.records import LiveOrder
from algotrendy_core.parity.split import Filled, Split, fees_of


def document_of(report: ParityReport) -> dict[str, Any]:
    day = report.day
    return {
        "strategy": day.strategy_id,
        "kind": day.strategy.name,
        "parameters": day.parameters.model_dump(mode="json"),
        "venue": day.instrument.venue,
        "symbol": day.instrument.symbol,
        "timeframe": day.bars[0].timeframe.value,
        "opening": day.opening.isoformat(),
        "closing": day.closing.isoformat(),
        "bars": report.bars,
        "signals": report.signals,
        "signals_same": report.signals_same,
        "same": report.same,
        "decided_differently": report.decided_differently,
        "mark": plain(report.mark),
        "live_pnl": plain(report.live_pnl),
        "backtest_pnl": plain(report.backtest_pnl),
        "difference": plain(report.live_pnl - report.backtest_pnl),
        "split": _split(report.split),
        "decisions": [_decision(row) for row in report.decisions],
        "orders": [_order(row, report.mark) for row in report.orders],
    }


def _split(split: Split) -> dict[str, str]:
    return {field.name: plain(getattr(split, field.name)) for field in fields(split)}


def _decision(row: DecisionRow) -> dict[str, Any]:
    return {
        "bar_time": row.bar_time.isoformat(),
        "live": _text(row.live),
        "backtest": _text(row.backtest),
        "live_reason": row.live_reason,
        "backtest_reason": row.backtest_reason,
    }


def _order(row: OrderRow, mark: Decimal) -> dict[str, Any]:
    return {
        "kind": row.kind.value,
        "bar_time": row.bar_time.isoformat(),
        "side": row.side.value,
        "target": plain(row.target),
        "backtest": _backtest(row.backtest, mark) if row.backtest else None,
        "live": [_live(order, mark) for order in row.live],
        "live_pnl": plain(row.live_pnl),
        "backtest_pnl": plain(row.backtest_pnl),
        "difference": plain(row.difference),
        "split": _split(row.split),
    }


def _backtest(filled: Filled, mark: Decimal) -> dict[str, str]:
    return {
        "quantity": plain(filled.quantity),
        "open": plain(filled.open),
        "price": plain(filled.price),
        "fees": plain(filled.fees(mark)),
    }


def _live(order: LiveOrder, mark: Decimal) -> dict[str, Any]:
    return {
        "order_id": order.order_id,
        "bar_time": order.bar_time.isoformat(),
        "outcome": order.outcome,
        "quantity": plain(order.quantity),
        "sized_from": order.sized_from.model_dump(mode="json") if order.sized_from else None,
        "arrival_price": _text(order.arrival_price),
        "fills": [
            {
                "time": fill.time.isoformat(),
                "price": plain(fill.price),
                "quantity": plain(fill.quantity),
                "fees": plain(fees_of(fill, mark)),
            }
            for fill in order.fills
        ],
    }


def _text(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)
