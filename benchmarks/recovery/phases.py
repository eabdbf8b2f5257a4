"""The phases of the broker gateway's last start, as its own log tells them.

Invariant: nothing is measured here; what the log does not say is what is left of the whole.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any


def of_last_start(log: Path, killed: datetime, took_s: float) -> dict[str, float]:
    """Seconds by phase, from the kill to being active; ``processor`` beside them is work, not waiting."""
    started = next((line for line in reversed(_lines(log)) if line.get("event") == "service started"), None)
    if started is None:
        return {}
    phases: dict[str, float] = dict(started["took_s"])
    processor, in_all = phases.pop("processor"), phases.pop("in_all")
    reading_s = (datetime.fromisoformat(started["timestamp"]) - killed).total_seconds()
    return {
        "noticed and launched": max(0.0, reading_s - in_all),
        **phases,
        "comparing and hearing risk": max(0.0, took_s - reading_s),
        "processor": processor,
    }


def _lines(log: Path) -> list[dict[str, Any]]:
    found = []
    for line in log.read_text(errors="replace").splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:  # a line that the kill cut off, or a traceback
            continue
    return [line for line in found if isinstance(line, dict)]
