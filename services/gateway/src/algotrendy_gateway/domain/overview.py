"""The overview of an account, put together from what the board knows.

Invariant: what is not known is None, and ``missing`` says whose silence made it so.
"""

from datetime import datetime

from algotrendy_common.enums import Mode
from algotrendy_common.events.risk import TradingState

from algotrendy_gateway.domain.accounts import EquityPoint, Money, Overview, OverviewChange
from algotrendy_gateway.domain.board import SILENCE, Board


def trading_state(board: Board, account: str, now: datetime) -> TradingState | None:
    """None where risk is silent: then nobody knows, and it approves nothing."""
    state = board.risk.get(account)
    if state is None:
        return None
    heard = "risk" not in board.missing(now) or now - state.received_time < SILENCE
    return state.trading_state if heard else None


def platform_mode(board: Board) -> Mode | None:
    """Live where any account is; None until the accounts are known."""
    modes = {account.mode for account in board.accounts.values()}
    if not modes:
        return None
    return Mode.LIVE if Mode.LIVE in modes else Mode.PAPER


def overview_change(board: Board, account: str, now: datetime) -> OverviewChange:
    return OverviewChange(
        **dict(Money.of(board.risk.get(account))),
        account=account,
        trading_state=trading_state(board, account, now),
        services=board.services(now),
        latency_ms=board.latency.median_ms(now),
        missing=board.missing(now),
    )


def overview(
    board: Board, account: str, now: datetime, curve: tuple[EquityPoint, ...], silent: frozenset[str] = frozenset()
) -> Overview:
    """``silent``: services that did not answer just now, whatever their heartbeats say."""
    info = board.accounts[account]
    change = overview_change(board, account, now)
    known = dict(change)
    known["missing"] = tuple(sorted({*change.missing, *silent}))
    return Overview(
        **known,
        venue=info.venue,
        mode=info.mode,
        replay=board.replay,
        equity_curve=curve,
        feeds=board.feeds(now),
    )
