"""Fills, and what follows from them: positions, attribution to strategies, and what the account should hold.

Invariant: all three change in the transaction that counts the fill, and only there. Whoever writes holds the account's
row lock (``AccountStore.lock``), so that two fills of one symbol never work from the same old position.
"""

from decimal import Decimal

from algotrendy_common.database import Transaction
from algotrendy_common.errors import InvariantBroken
from algotrendy_common.events.account import PositionChanged
from algotrendy_common.events.order import OrderFilled, OrderTerms
from algotrendy_core.fills import Fill
from algotrendy_core.positions import Position, apply_fill

from algotrendy_broker_gateway.domain.balances import derivative_movements, movements
from algotrendy_broker_gateway.domain.margin import Margin, borrows, margin_after
from algotrendy_broker_gateway.domain.order_record import OrderRecord

WHOLE_ACCOUNT = ""
"""In place of a strategy: the account's own position."""


class FillStore:
    def __init__(self, account: str) -> None:
        self._account = account

    async def count(self, tx: Transaction, fill: Fill, told: OrderFilled) -> None:
        """Raises InvariantBroken where the fill is there already: its order should have known."""
        status = await tx.execute(
            "INSERT INTO fills (venue, account, symbol, trade_id, order_id, event_time, document)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
            fill.venue,
            self._account,
            fill.symbol,
            fill.trade_id,
            told.order_id,
            fill.event_time,
            told.to_json().decode(),
        )
        if not status.endswith(" 1"):
            raise InvariantBroken("a fill belongs to two orders", trade_id=fill.trade_id, order_id=told.order_id)

    async def move(
        self, tx: Transaction, fill: Fill, strategy: str | None, base: str, quote: str, terms: OrderTerms
    ) -> tuple[Position, int, tuple[str, ...], Margin]:
        """Apply a fill of an order of these terms to the account's and the strategy's position and to the holdings.

        On margin nothing of the base is ever held, as with a perpetual.
        Returns the account's position, its revision, the strategies that hold part of it, and how it is paid for.
        """
        borrowed = borrows(terms)
        before, after, revision, told = await self._move(tx, fill, WHOLE_ACCOUNT, base, quote)
        margin = Margin()
        if borrowed:
            margin = margin_after(Margin.of(told), before.quantity, after.quantity, terms)
        if strategy:
            await self._move(tx, fill, strategy, base, quote)
        moved = derivative_movements(before, after, fill) if borrowed else movements(fill, base, quote)
        for asset, quantity in sorted(moved.items()):
            await tx.execute(
                "INSERT INTO holdings (account, asset, quantity) VALUES ($1, $2, $3)"
                " ON CONFLICT (account, asset) DO UPDATE SET quantity = holdings.quantity + excluded.quantity",
                self._account,
                asset,
                quantity,
            )
        rows = await tx.fetch(
            "SELECT strategy FROM positions WHERE account = $1 AND venue = $2 AND symbol = $3"
            " AND strategy <> '' AND quantity <> 0 ORDER BY strategy",
            self._account,
            fill.venue,
            fill.symbol,
        )
        return after, revision, tuple(row["strategy"] for row in rows), margin

    async def _move(
        self, tx: Transaction, fill: Fill, strategy: str, base: str, quote: str
    ) -> tuple[Position, Position, int, PositionChanged | None]:
        """The position before and after, its revision, and what was told of it before."""
        row = await tx.fetch_row(
            "SELECT * FROM positions WHERE account = $1 AND venue = $2 AND symbol = $3 AND strategy = $4",
            self._account,
            fill.venue,
            fill.symbol,
            strategy,
        )
        before = Position(fill.venue, fill.symbol, base, quote)
        if row is not None:
            before = Position(
                fill.venue,
                fill.symbol,
                base,
                quote,
                row["quantity"],
                row["cost"],
                row["realised_pnl"],
                row["fees"],
                tuple((currency, Decimal(amount)) for currency, amount in row["unpriced_fees"]),
            )
        after = apply_fill(before, fill)
        revision = (row["revision"] if row else 0) + 1
        await tx.execute(
            "INSERT INTO positions (account, venue, symbol, strategy, quantity, cost, realised_pnl, fees,"
            " unpriced_fees, revision) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
            " ON CONFLICT (account, venue, symbol, strategy) DO UPDATE SET quantity = excluded.quantity,"
            " cost = excluded.cost, realised_pnl = excluded.realised_pnl, fees = excluded.fees,"
            " unpriced_fees = excluded.unpriced_fees, revision = excluded.revision",
            self._account,
            fill.venue,
            fill.symbol,
            strategy,
            after.quantity,
            after.cost,
            after.realised_pnl,
            after.fees,
            [[currency, str(amount)] for currency, amount in after.unpriced_fees],
            revision,
        )
        told = PositionChanged.from_json(row["document"]) if row is not None and row["document"] else None
        return before, after, revision, told

    async def open_bracket(self, tx: Transaction, order: OrderRecord) -> None:
        """An entry with exits of its own has traded; harmless where that is known."""
        assert order.terms.protection is not None
        await tx.execute(
            "INSERT INTO brackets (order_id, account, venue, symbol, document) VALUES ($1, $2, $3, $4, $5)"
            " ON CONFLICT (order_id) DO NOTHING",
            order.order_id,
            self._account,
            order.terms.venue,
            order.terms.symbol,
            order.terms.protection.model_dump(mode="json"),
        )

    async def open_position(self, tx: Transaction, told: PositionChanged) -> None:
        """A position that was there before the first fill that we count."""
        average = told.average_price or Decimal(0)
        await tx.execute(
            "INSERT INTO positions (account, venue, symbol, strategy, quantity, cost, realised_pnl, fees,"
            " unpriced_fees, revision, document) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            self._account,
            told.venue,
            told.symbol,
            WHOLE_ACCOUNT,
            told.quantity,
            told.quantity * average,
            Decimal(0),
            Decimal(0),
            [],
            told.revision,
            told.to_json().decode(),
        )

    async def told(self, tx: Transaction, venue: str, symbol: str) -> PositionChanged | None:
        """The newest word on the account's own position."""
        document = await tx.fetch_value(
            "SELECT document FROM positions WHERE account = $1 AND venue = $2 AND symbol = $3 AND strategy = $4",
            self._account,
            venue,
            symbol,
            WHOLE_ACCOUNT,
        )
        return PositionChanged.from_json(document) if document else None

    async def revise(self, tx: Transaction, told: PositionChanged) -> None:
        """A word on the position that no fill brought."""
        await self.remember(tx, told)
        await tx.execute(
            "UPDATE positions SET revision = $5 WHERE account = $1 AND venue = $2 AND symbol = $3 AND strategy = $4",
            self._account,
            told.venue,
            told.symbol,
            WHOLE_ACCOUNT,
            told.revision,
        )

    async def remember(self, tx: Transaction, told: PositionChanged) -> None:
        await tx.execute(
            "UPDATE positions SET document = $5 WHERE account = $1 AND venue = $2 AND symbol = $3 AND strategy = $4",
            self._account,
            told.venue,
            told.symbol,
            WHOLE_ACCOUNT,
            told.to_json().decode(),
        )
