"""What backtest is told: how long a run may take, how large it may be, how often it is tried."""

from datetime import timedelta

from algotrendy_common.settings import ServiceSettings
from pydantic import Field

from algotrendy_backtest.search.places import Place


class BacktestSettings(ServiceSettings):
    run_timeout: timedelta = timedelta(minutes=10)
    max_bars: int = Field(2_000_000, ge=1)
    attempts: int = Field(3, ge=1)
    """How often a run is begun before it is given up; only failures that are not the run's own count."""
    retry_after: timedelta = timedelta(seconds=2)
    """Pause before a run is begun again, longer with each attempt."""
    lease: timedelta = timedelta(seconds=20)
    """A worker that does not renew its claim for so long is taken for dead and its run begun by another."""
    poll_interval: timedelta = timedelta(seconds=1)
    """How often waiting runs of other workers, and those to be tried again, are looked for."""
    run_memory: int = Field(8 * 1024**3, ge=256 * 1024**2)
    """Bytes that a computing process may use."""
    search_workers: int = Field(1, ge=1)
    """Processes, or Ray workers, of a search."""
    search_on: Place = Place.PROCESSES
    ray_address: str | None = None
    """Of a Ray cluster; searches are then computed there."""
    search_timeout: timedelta = timedelta(hours=6)
    """Of a whole search; each of its trials has ``run_timeout``."""
