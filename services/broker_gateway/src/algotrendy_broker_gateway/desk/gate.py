"""Whether orders may leave the account now, and why not.

Invariant: closed until it is proved otherwise: books compared and equal, risk heard and not
halted, no stop from within.
"""

from algotrendy_broker_gateway.domain.admission import Gate


class TradingGate:
    def __init__(self) -> None:
        self.reconciled = False
        self.halted: bool | None = None
        """None until risk was heard."""
        self.stopped: str | None = None
        self.closing = False
        """The service is about to end: what is approved now is for the next start."""

    @property
    def state(self) -> Gate:
        if self.stopped is not None:
            return Gate.STOPPED
        if self.halted:
            return Gate.HALTED
        if self.closing or not self.reconciled or self.halted is None:
            return Gate.WAITING
        return Gate.OPEN

    def problem(self) -> str | None:
        """For readiness: why this account cannot trade; a halt is a decision, not a problem."""
        if self.stopped is not None:
            return f"stopped: {self.stopped}"
        if not self.reconciled:
            return "not reconciled with the venue"
        if self.halted is None:
            return "risk was not heard yet"
        return None
