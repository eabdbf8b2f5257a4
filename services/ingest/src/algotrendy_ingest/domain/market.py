"""What is known of one instrument at one venue right now."""

from dataclasses import dataclass, field
from decimal import Decimal

from algotrendy_common.events.market import QuoteChanged
from algotrendy_core.data_quality.ticks import TickScreen

from algotrendy_ingest.domain.series import BarSeries
from algotrendy_ingest.domain.tape import Tape
from algotrendy_ingest.domain.ticks import TradeTick


@dataclass(slots=True)
class Market:
    symbol: str
    tape: Tape = field(default_factory=Tape)
    series: BarSeries = field(default_factory=BarSeries)
    quote: QuoteChanged | None = None
    screen: TickScreen[TradeTick] = field(default_factory=TickScreen)
    last: Decimal | None = None
    """Price of the newest trade heard since the service began."""
