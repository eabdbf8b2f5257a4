"""What an examination found, before anything is held against the strategy."""

from dataclasses import dataclass

from algotrendy_core.backtest.engine import BacktestResult
from algotrendy_core.performance import Statistics
from algotrendy_core.robustness.deflated import Deflated
from algotrendy_core.robustness.detectors import LookAhead, StartDependence
from algotrendy_core.robustness.findings import Finding
from algotrendy_core.robustness.neighbours import Surface
from algotrendy_core.robustness.overfitting import Overfitting
from algotrendy_core.robustness.resampling import Spread, TradeDraws
from algotrendy_core.robustness.significance import Significance


@dataclass(frozen=True, slots=True)
class Part:
    """One stretch of the history; ratios annualised."""

    bars: int
    total_return: float
    sharpe: float | None
    max_drawdown: float


@dataclass(frozen=True, slots=True)
class Stress:
    name: str
    total_return: float
    sharpe: float | None
    max_drawdown: float


@dataclass(frozen=True, slots=True)
class Histories:
    """Over resampled histories."""

    total_return: Spread
    sharpe: Spread
    max_drawdown: Spread
    share_losing: float
    draws: int


@dataclass(frozen=True, slots=True, eq=False)
class Examined:
    result: BacktestResult
    whole: Statistics
    seen: Part
    unseen: Part
    trade_draws: TradeDraws | None
    histories: Histories | None
    surface: Surface | None
    significance: Significance | None
    overfitting: Overfitting | None
    deflated: Deflated | None
    needed_years: float | None
    """Until the Sharpe ratio is above zero with 95 % confidence."""
    stresses: tuple[Stress, ...]
    look_ahead: LookAhead | None
    start_dependence: StartDependence | None
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """True where no finding that gates was held against it."""
        return all(finding.passed for finding in self.findings if finding.gates)
