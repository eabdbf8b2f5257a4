"""What orders do to accounts: reservations, fills into assets or into margin positions, and ends.

Invariant: an account's ``locked`` is the sum of its open orders' ``reserved`` and its positions' ``margin``; whatever
is changed here is noted in the ``Changes`` it is handed.
"""

from dataclasses import replace
from decimal import Decimal

from algotrendy_common.clock import Clock, to_ms
from algotrendy_common.enums import Liquidity, MarginMode, Side
from algotrendy_common.errors import Refused
from algotrendy_common.money import ZERO, round_nearest
from algotrendy_core.fees import FEE_STEP, ChargedIn, fill_fee

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.admission import margin_reservation, on_margin, spot_reservation, with_fee
from algotrendy_simulator.changes import Changes
from algotrendy_simulator.events import Execution, OrderChanged, PositionChanged, TapeTrade
from algotrendy_simulator.ledger import Ledger
from algotrendy_simulator.market import Market
from algotrendy_simulator.orders import Fill, Order, VenueStatus
from algotrendy_simulator.positions import Holding, Position, book_fill, initial_margin, liquidation_price, reducible


class Settlement:
    def __init__(self, ledger: Ledger, markets: dict[str, Market], clock: Clock) -> None:
        self._ledger = ledger
        self._markets = markets
        self._clock = clock
        self.spot_fees = ChargedIn.RECEIVED
        """The asset that pays for a fill without leverage; with it, the quote currency does."""

    def now_ms(self) -> int:
        return to_ms(self._clock.now())

    def note(
        self,
        changes: Changes,
        order: Order,
        execution: Execution,
        fill: Fill | None = None,
        cancel_client_order_id: str | None = None,
    ) -> None:
        self._ledger.remember(order)
        changes.orders[order.order_id] = order
        changes.events.append(OrderChanged(replace(order), execution, fill, cancel_client_order_id))
        instrument = self._markets[order.symbol].instrument
        changes.balances |= dict.fromkeys((order.account, asset) for asset in (instrument.base, instrument.quote))

    def reservation(self, order: Order) -> tuple[str, Decimal]:
        """Asset and amount that what is left of the order must hold, by its type, side and prices."""
        market = self._markets[order.symbol]
        if not on_margin(market, order.leverage):
            return spot_reservation(market, order, order.remaining, self.spot_fees)
        if order.reduce_only:
            return market.instrument.quote, ZERO
        holding = self._ledger.holding(order.account, order.symbol)
        spoken_for = sum(
            other.remaining
            for other in self._ledger.open_orders(order.account, order.symbol)
            if other not in (order, self._ledger.sibling(order)) and other.side is order.side and not other.reduce_only
        )
        opening = max(ZERO, order.remaining - max(ZERO, reducible(holding, order.side) - spoken_for))
        return margin_reservation(market, order, opening, order.leverage or holding.leverage)

    def reserve(self, order: Order, asset: str, needed: Decimal) -> None:
        """Have the order hold ``needed`` and no more or less.

        Raises Refused ``insufficient_balance`` with nothing changed.
        """
        account = self._ledger.accounts[order.account]
        more = needed - order.reserved
        if more > self.available(account, asset, on_margin(self._markets[order.symbol], order.leverage)):
            raise Refused("insufficient_balance", "not enough is free", asset=asset, needed=needed)
        account.lock(asset, more)
        order.reserved = needed

    def available(self, account: Account, asset: str, for_margin: bool) -> Decimal:
        """What is free; for margin, less what the account's cross positions have lost so far."""
        free = account.balance(asset).free
        if not for_margin:
            return free
        lost = sum(self._pnl(holding) for holding in self._cross(account.name, asset))
        return free + min(ZERO, Decimal(lost))

    def fill(self, changes: Changes, order: Order, trade: TapeTrade, side: Side, liquidity: Liquidity) -> None:
        market = self._markets[order.symbol]
        margined = on_margin(market, order.leverage)
        charged_in = ChargedIn.QUOTE if margined else self.spot_fees
        fee = fill_fee(market.instrument, side, trade.price, trade.quantity, liquidity, charged_in)
        value = trade.price * trade.quantity
        last = trade.quantity == order.remaining
        if margined:
            self._fill_position(changes, order, trade, fee.amount, last)
        else:
            self._fill_assets(order, trade, fee.amount, last)
        order.filled += trade.quantity
        order.quote_filled += value
        order.updated_ms = self.now_ms()
        order.status = VenueStatus.FILLED if last else VenueStatus.PARTIALLY_FILLED
        fill = Fill(
            trade.trade_id,
            order.symbol,
            order.order_id,
            order.account,
            side,
            trade.price,
            trade.quantity,
            fee.amount,
            fee.asset,
            liquidity,
            order.updated_ms,
        )
        self._ledger.remember_fill(fill)
        changes.fills.append(fill)
        self.note(changes, order, Execution.TRADE, fill)
        if margined:
            self._tell_position(changes, order.account, order.symbol)

    def end(
        self,
        changes: Changes,
        order: Order,
        status: VenueStatus,
        execution: Execution,
        cancel_client_order_id: str | None = None,
    ) -> None:
        """Take the order off the book if it is there, free what it holds, and close it."""
        market = self._markets[order.symbol]
        if market.engine.cancel(str(order.order_id)) is not None:
            changes.touch_book(order.symbol)
        self._release(order, order.reserved)
        order.status = status
        order.waiting = False
        order.updated_ms = self.now_ms()
        self.note(changes, order, execution, None, cancel_client_order_id)

    def position(self, holding: Holding) -> Position:
        """The holding at the market's last price."""
        mark = self._markets[holding.symbol].last_price
        size = abs(holding.quantity)
        return Position(
            holding.account,
            holding.symbol,
            holding.quantity,
            holding.cost / size if size else ZERO,
            mark,
            liquidation_price(holding, self._cover(holding)),
            holding.leverage,
            holding.margin_mode,
            holding.margin,
            holding.unrealised_pnl(mark),
            holding.realised_pnl,
        )

    def underwater(self, symbol: str) -> list[Holding]:
        """The positions that a price of this symbol has brought under their maintenance margin."""
        found: dict[tuple[str, str], Holding] = {}
        for holding in self._ledger.held(symbol=symbol):
            if holding.margin_mode is MarginMode.ISOLATED:
                if self._cover(holding) + self._pnl(holding) <= holding.maintenance(self._mark(holding)):
                    found[holding.account, holding.symbol] = holding
                continue
            quote = self._markets[symbol].instrument.quote
            shared = self._cross(holding.account, quote)
            needed = sum(other.maintenance(self._mark(other)) for other in shared)
            if self._cover(holding) + self._pnl(holding) <= needed:
                found |= {(other.account, other.symbol): other for other in shared}
        return list(found.values())

    def set_margin(self, changes: Changes, holding: Holding, leverage: Decimal, mode: MarginMode) -> None:
        """Raises Refused ``position_open`` on another mode under a position, or ``insufficient_balance``."""
        if holding.quantity and mode is not holding.margin_mode:
            raise Refused("position_open", "the margin mode of an open position stays", symbol=holding.symbol)
        account = self._ledger.accounts[holding.account]
        quote = self._markets[holding.symbol].instrument.quote
        more = initial_margin(holding.cost, leverage) - holding.margin
        if more > self.available(account, quote, for_margin=True):
            raise Refused("insufficient_balance", "not enough is free", asset=quote, needed=more)
        account.lock(quote, more)
        holding.margin += more
        holding.leverage, holding.margin_mode = leverage, mode
        self._tell_position(changes, holding.account, holding.symbol)
        changes.balances[holding.account, quote] = None

    def pay_funding(self, changes: Changes, holding: Holding, rate: Decimal) -> None:
        """What longs pay shorts where ``rate`` is above zero: that share of the position's value."""
        quote = self._markets[holding.symbol].instrument.quote
        account = self._ledger.accounts[holding.account]
        due = round_nearest(holding.quantity * self._mark(holding) * rate, FEE_STEP)
        if due > ZERO:
            self._charge(holding, account, quote, due)
        else:
            account.add(quote, -due)
        changes.balances[holding.account, quote] = None

    def _fill_assets(self, order: Order, trade: TapeTrade, fee: Decimal, last: bool) -> None:
        instrument = self._markets[order.symbol].instrument
        account = self._ledger.accounts[order.account]
        value = trade.price * trade.quantity
        if order.side is Side.BUY:
            in_quote = self.spot_fees is ChargedIn.QUOTE
            spent = value + fee if in_quote else value
            left = ZERO if last or order.limit_price is None else order.limit_price * (order.remaining - trade.quantity)
            kept = with_fee(self._markets[order.symbol], left) if in_quote else left
            # A market order holds what its way through the book costs, to the last trade.
            by_plan = order.limit_price is not None or last
            self._release(order, min(order.reserved, max(spent, order.reserved - kept) if by_plan else spent))
            account.add(instrument.quote, -spent)
            account.add(instrument.base, trade.quantity if in_quote else trade.quantity - fee)
        else:
            self._release(order, trade.quantity)
            account.add(instrument.base, -trade.quantity)
            account.add(instrument.quote, value - fee)

    def _fill_position(self, changes: Changes, order: Order, trade: TapeTrade, fee: Decimal, last: bool) -> None:
        quote = self._markets[order.symbol].instrument.quote
        account = self._ledger.accounts[order.account]
        holding = self._ledger.holding(order.account, order.symbol)
        if order.leverage is not None and not holding.quantity:
            holding.leverage = order.leverage
        share = order.reserved * trade.quantity / order.remaining
        self._release(order, order.reserved if last else round_nearest(share, FEE_STEP))
        booked = book_fill(holding, order.side, trade.price, trade.quantity)
        account.lock(quote, -booked.freed_margin)
        if booked.realised >= ZERO:
            account.add(quote, booked.realised)
        else:
            self._charge(holding, account, quote, -booked.realised)
        self._charge(holding, account, quote, fee)
        wanted = initial_margin(trade.price * booked.opened, order.leverage or holding.leverage)
        # Taken at worse than it was reserved for, a position can start with less: it is then liquidated the sooner.
        margin = min(wanted, account.balance(quote).free)
        account.lock(quote, margin)
        holding.margin += margin

    def _charge(self, holding: Holding, account: Account, asset: str, amount: Decimal) -> None:
        """Debit what is free at most; the rest is the venue's insurance's."""
        paid = min(amount, account.balance(asset).free)
        account.add(asset, -paid)
        holding.uncovered += amount - paid

    def _release(self, order: Order, amount: Decimal) -> None:
        instrument = self._markets[order.symbol].instrument
        selling_assets = order.side is Side.SELL and not on_margin(self._markets[order.symbol], order.leverage)
        self._ledger.accounts[order.account].lock(instrument.base if selling_assets else instrument.quote, -amount)
        order.reserved -= amount

    def _tell_position(self, changes: Changes, account: str, symbol: str) -> None:
        holding = self._ledger.holding(account, symbol)
        changes.holdings[account, symbol] = None
        changes.events.append(PositionChanged(self.position(holding), self.now_ms()))

    def _cover(self, holding: Holding) -> Decimal:
        """What stands behind a position but its own profit: its margin, or all the account has that others do not."""
        if holding.margin_mode is MarginMode.ISOLATED:
            return holding.margin
        quote = self._markets[holding.symbol].instrument.quote
        apart = sum(
            other.margin for other in self._ledger.held(holding.account) if other.margin_mode is MarginMode.ISOLATED
        )
        others = sum(self._pnl(other) for other in self._cross(holding.account, quote) if other is not holding)
        return self._ledger.accounts[holding.account].balance(quote).total - apart + others

    def _cross(self, account: str, quote: str) -> list[Holding]:
        return [
            holding
            for holding in self._ledger.held(account)
            if holding.margin_mode is not MarginMode.ISOLATED
            and self._markets[holding.symbol].instrument.quote == quote
        ]

    def _mark(self, holding: Holding) -> Decimal:
        return self._markets[holding.symbol].last_price

    def _pnl(self, holding: Holding) -> Decimal:
        return holding.unrealised_pnl(self._mark(holding))
