"""Between the books' rows and the books themselves. Invariant: a book that is saved and loaded is the same book."""

from typing import Any

import asyncpg
from algotrendy_common.enums import HaltLevel, Liquidity, OrderSource, OrderStatus, Side
from algotrendy_common.events.order import OrderFilled, OrderTerms
from algotrendy_core.fills import Fill
from algotrendy_core.limits import RecentOrder
from algotrendy_core.positions import Position

from algotrendy_risk.domain.account_limits import AccountLimits
from algotrendy_risk.domain.book import AccountBook, Day, Unattended
from algotrendy_risk.domain.halts import Halt
from algotrendy_risk.domain.ledger import Holding, Observed
from algotrendy_risk.domain.portfolio import Trade
from algotrendy_risk.domain.reservations import Reservation

Row = asyncpg.Record


def book_from_rows(
    row: Row,
    limits: AccountLimits | None,
    holdings: list[Row],
    reservations: list[Row],
    recent: tuple[RecentOrder, ...],
    unattended: Unattended | None,
) -> AccountBook:
    return AccountBook(
        account=row["account"],
        venue=row["venue"],
        quote=row["quote_currency"],
        version=row["version"],
        moved_at=row["moved_at"],
        limits=limits,
        anchored=row["anchored"],
        cash=row["cash"],
        observed_cash=row["observed_cash"],
        balance_at=row["balance_at"],
        holdings={(held["venue"], held["symbol"]): _holding(held, row["quote_currency"]) for held in holdings},
        reservations={held["order_id"]: reservation_from_row(held) for held in reservations},
        recent=recent,
        unattended=unattended,
        reconciled=row["reconciled"],
        reconciled_at=row["reconciled_at"],
        day=_day(row),
        high_water=row["high_water"],
        flows=row["flows"],
    )


def account_values(book: AccountBook) -> tuple[Any, ...]:
    day = book.day
    return (
        book.account, book.version, book.moved_at, book.anchored, book.cash, book.observed_cash, book.balance_at,
        book.reconciled, book.reconciled_at,
        day.date if day else None, day.opening_equity if day else None, day.opening_realised if day else None,
        day.opening_fees if day else None, day.loss_breached if day else False,
        book.high_water, book.flows,
    )  # fmt: skip


def _day(row: Row) -> Day | None:
    if row["day"] is None:
        return None
    return Day(
        row["day"],
        row["day_opening_equity"],
        row["day_opening_realised"],
        row["day_opening_fees"],
        row["day_loss_breached"],
    )


def _holding(row: Row, quote: str) -> Holding:
    return Holding(
        Position(
            row["venue"], row["symbol"], row["base"], quote,
            row["quantity"], row["cost"], row["realised_pnl"], row["fees"],
        ),
        Observed(
            row["observed_revision"], row["observed_quantity"], row["observed_average_price"],
            row["observed_realised_pnl"], row["observed_fees"], row["observed_leverage"],
        ),
        row["margined"],
    )  # fmt: skip


def holding_values(account: str, holding: Holding) -> tuple[Any, ...]:
    held, seen = holding.derived, holding.observed
    return (
        account, held.venue, held.symbol, held.base, held.quantity, held.cost, held.realised_pnl, held.fees,
        seen.revision, seen.quantity, seen.average_price, seen.realised_pnl, seen.fees, holding.margined, seen.leverage,
    )  # fmt: skip


def reservation_from_row(row: Row) -> Reservation:
    return Reservation(
        terms=OrderTerms.model_validate(row["terms"]),
        price=row["price"],
        cash_ratio=row["cash_ratio"],
        approved_at=row["approved_at"],
        expires_at=row["expires_at"],
        status=OrderStatus(row["status"]),
        revision=row["revision"],
        filled=row["filled"],
        reported_filled=row["reported_filled"],
        source=OrderSource(row["source"]),
        strategy=row["strategy"],
    )


def reservation_values(reservation: Reservation) -> tuple[Any, ...]:
    terms = reservation.terms
    return (
        terms.order_id, terms.account, terms.model_dump(mode="json"), reservation.price, reservation.cash_ratio,
        reservation.approved_at, reservation.expires_at, reservation.status.value, reservation.revision,
        reservation.filled, reservation.reported_filled, reservation.open, reservation.source.value,
        reservation.strategy,
    )  # fmt: skip


def halt_from_row(row: Row) -> Halt:
    return Halt(
        HaltLevel(row["level"]), row["key"], row["revision"], row["engaged"], row["by_whom"], row["reason"],
        row["flatten"], row["since"], row["release_asked_by"], row["release_asked_at"],
    )  # fmt: skip


def halt_values(halt: Halt) -> tuple[Any, ...]:
    return (
        halt.level.value, halt.key, halt.revision, halt.engaged, halt.by, halt.reason, halt.flatten, halt.since,
        halt.release_asked_by, halt.release_asked_at,
    )  # fmt: skip


def fill_values(fill: OrderFilled) -> tuple[Any, ...]:
    return (
        fill.account, fill.venue, fill.symbol, fill.trade_id, fill.order_id, fill.strategy, fill.side.value, fill.price,
        fill.quantity, fill.fee, fill.fee_currency, fill.event_time,
    )  # fmt: skip


def trade_from_row(row: Row) -> Trade:
    fill = Fill(
        row["trade_id"], row["order_id"], row["venue"], row["symbol"], Side(row["side"]), row["price"], row["quantity"],
        row["fee"], row["fee_currency"], Liquidity.TAKER, row["time"],
    )  # fmt: skip
    return Trade(row["account"], row["strategy"], fill)
