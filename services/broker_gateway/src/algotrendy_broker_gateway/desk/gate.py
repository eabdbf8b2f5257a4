"""Whether orders may leave the account now, and why not.

Invariant: closed until it is proved otherwise: the lease held, books compared and equal, risk heard and not
halted, no stop from within. It is asked again right before each call that lets an order out.
"""

from collections.abc import Callable

from algotrendy_broker_gateway.domain.admission import Gate


class TradingGate:
    def __init__(self) -> None:
        self.reconciled = False
        self.halted: bool | None = None
        """None until risk was heard."""
        self.halts: dict[str, str] = {}
        """Why the account is halted, by who says so: the kill file, or the kill switch at account or global level."""
        self.kill_file_there: Callable[[], bool] = lambda: False
        """Looked at for each order, so that none leaves between the file's coming and the next round of looking."""
        self.halted_strategies: frozenset[str] = frozenset()
        self.venue_down: str | None = None
        """Where another account stands in while this one's venue is away: what to tell whoever proposed an order."""
        self.lease_held: Callable[[], bool] = lambda: True
        self.stopped: str | None = None
        self.closing = False
        """The service is about to end: what is approved now is for the next start."""

    @property
    def state(self) -> Gate:
        if self.stopped is not None:
            return Gate.STOPPED
        if self.halting:
            return Gate.HALTED
        if not self.lease_held():
            return Gate.WAITING
        if self.venue_down is not None:
            return Gate.VENUE_DOWN
        if self.closing or not self.reconciled or self.halted is None:
            return Gate.WAITING
        return Gate.OPEN

    @property
    def halting(self) -> bool:
        """By risk, the kill switch or the kill file."""
        return bool(self.halted or self.halts) or self.kill_file_there()

    def state_for(self, strategy: str | None) -> Gate:
        """The same for an order of one strategy."""
        if strategy is not None and strategy in self.halted_strategies and self.state is not Gate.STOPPED:
            return Gate.HALTED
        return self.state

    @property
    def lets_reductions_out(self) -> bool:
        """Exits guard what is there: a halt, which is for what would be new, does not stop them."""
        return self.stopped is None and self.reconciled and not self.closing and self.lease_held()

    def problem(self) -> str | None:
        """For readiness: why this account cannot trade; a halt is a decision, not a problem."""
        if self.stopped is not None:
            return f"stopped: {self.stopped}"
        if self.venue_down is not None:
            return f"venue_down: {self.venue_down}"
        if not self.reconciled:
            return "not reconciled with the venue"
        if self.halted is None:
            return "risk was not heard yet"
        return None
