"""So many a second and no more: what a venue lets one client open or send.

Invariant: turns are evenly spaced and taken in the order they were asked for.
"""

import asyncio

from algotrendy_common.clock import monotonic_s


class Pace:
    def __init__(self, per_s: float) -> None:
        self._gap_s = 1.0 / per_s
        self._next_s = 0.0

    async def turn(self) -> None:
        """Wait for the next free turn and take it."""
        now = monotonic_s()
        at = max(now, self._next_s)
        self._next_s = at + self._gap_s
        if at > now:
            await asyncio.sleep(at - now)
