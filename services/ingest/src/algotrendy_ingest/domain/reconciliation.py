"""What is recorded beside what the venue says of the same days.

Invariant: a candle agrees only where its time, prices and volume are exactly the venue's; a minute of the tape only
where its trades add up to the venue's volume. Nothing is rounded.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from algotrendy_common.enums import Timeframe
from algotrendy_common.money import ZERO
from algotrendy_common.rpc.ingest import Candle
from algotrendy_core.bars import Bar

from algotrendy_ingest.domain.coverage import DAY, Day, day_of

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class DayReport:
    day: datetime
    kept: int
    told: int
    """Candles that the venue has."""
    missing: int
    beyond: int
    """Kept though the venue has none: it tells none of quiet intervals, and ours have no volume then."""
    differing: int
    volume_kept: Decimal
    volume_told: Decimal
    tape_minutes: int
    """Minutes whose trades were compared with the venue's candle."""
    tape_differing: int
    trades: int
    traded: Decimal
    first_difference: datetime | None

    @property
    def agrees(self) -> bool:
        return not (self.missing or self.beyond or self.differing or self.tape_differing)


def day_report(
    day: datetime, timeframe: Timeframe, kept: Iterable[Candle], told: Iterable[Bar], tape: Mapping[datetime, Day]
) -> DayReport:
    """``tape``: trades by minute; its first and last minute are left out, for they may be cut."""
    ours = {candle.open_time: candle for candle in kept}
    theirs = {bar.open_time: bar for bar in told}
    differing = [time for time in ours.keys() & theirs.keys() if not _same(ours[time], theirs[time])]
    beyond = [time for time in ours.keys() - theirs.keys() if ours[time].volume]
    missing = theirs.keys() - ours.keys()
    minutes = sorted(tape)[1:-1] if timeframe is Timeframe.M1 else []
    whole = {time: tape[time] for time in minutes}
    volumes = {time: bar.volume for time, bar in theirs.items()}
    wrong = [time for time, minute in whole.items() if minute.quantity != volumes.get(time, ZERO)]
    if whole:  # minutes in which the venue traded and the tape is silent
        wrong += [
            time
            for time, volume in volumes.items()
            if minutes[0] <= time <= minutes[-1] and volume and time not in whole
        ]
    return DayReport(
        day=day_of(day),
        kept=len(ours),
        told=len(theirs),
        missing=len(missing),
        beyond=len(beyond),
        differing=len(differing),
        volume_kept=sum((candle.volume for candle in ours.values()), ZERO),
        volume_told=sum(volumes.values(), ZERO),
        tape_minutes=len(whole),
        tape_differing=len(wrong),
        trades=sum(minute.rows for minute in tape.values()),
        traded=sum((minute.quantity for minute in tape.values()), ZERO),
        first_difference=min((*differing, *beyond, *missing, *wrong), default=None),
    )


def _same(ours: Candle, theirs: Bar) -> bool:
    return (ours.open, ours.high, ours.low, ours.close, ours.volume) == (
        theirs.open,
        theirs.high,
        theirs.low,
        theirs.close,
        theirs.volume,
    )


def next_day(day: datetime) -> datetime:
    return day_of(day) + DAY
