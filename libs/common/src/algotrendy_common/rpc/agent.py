"""Commands to strategies and questions about them."""

from algotrendy_common.clock import Instant
from algotrendy_common.events.event import Record
from algotrendy_common.events.signal import SignalRaised, StrategyStateChanged
from algotrendy_common.ids import StrategyId
from algotrendy_common.rpc.call import Call, Nothing


class Strategies(Record):
    strategies: tuple[StrategyStateChanged, ...]


class StrategyCommanded(Record):
    """``by`` is the user who asks. Stopping keeps positions; pausing keeps exits and blocks entries."""

    strategy: StrategyId
    by: str
    override: str | None = None
    """Of a start with real money: why it may begin although no robustness check of it has passed."""


class StrategyChanged(Record):
    strategy: StrategyStateChanged


class SignalsAsked(Record):
    """Newest first, at most 1,000 an answer; ``before`` pages on by the time that a signal was raised."""

    limit: int = 100
    strategy: StrategyId | None = None
    before: Instant | None = None


class Signals(Record):
    """Newest first."""

    signals: tuple[SignalRaised, ...]


class RecallAsked(Record):
    strategy: StrategyId
    limit: int = 5


class Situation(Record):
    """An earlier signal; ``similarity`` compares the shape of the returns before it: 1 is the same, -1 the opposite."""

    signal: SignalRaised
    similarity: float


class Recalled(Record):
    """Situations like that of the strategy's newest signal, most similar first."""

    situations: tuple[Situation, ...]


STRATEGIES = Call("agent", "strategies", Nothing, Strategies, ("gateway",))
START = Call("agent", "start", StrategyCommanded, StrategyChanged, ("gateway",))
PAUSE = Call("agent", "pause", StrategyCommanded, StrategyChanged, ("gateway",))
STOP = Call("agent", "stop", StrategyCommanded, StrategyChanged, ("gateway",))
SIGNALS = Call("agent", "signals", SignalsAsked, Signals, ("gateway",))
RECALL = Call("agent", "recall", RecallAsked, Recalled, ("gateway",))
