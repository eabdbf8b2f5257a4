"""All looks at one history, in the order in which each needs the ones before it.

Invariant: every row of the input is in ``mended`` or in ``set_aside``, and what was changed is told by a finding.
"""

from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from algotrendy_core.data_quality.dividends import check_dividends
from algotrendy_core.data_quality.findings import Fault, Finding
from algotrendy_core.data_quality.history import PriceHistory
from algotrendy_core.data_quality.rows import sift, usual_step_ms
from algotrendy_core.data_quality.scale import Keep, rescale
from algotrendy_core.data_quality.spikes import spikes


@dataclass(frozen=True, slots=True)
class Examination:
    rows: int
    first_ms: int | None
    last_ms: int | None
    step_ms: int
    findings: tuple[Finding, ...]
    """By row."""
    mended: PriceHistory
    set_aside: dict[int, Finding]
    """Rows of the file and why."""

    @property
    def counts(self) -> dict[Fault, int]:
        """How many findings of each fault there are."""
        ordered = sorted(self.findings, key=lambda finding: finding.fault)
        return {fault: len(list(group)) for fault, group in groupby(ordered, key=lambda finding: finding.fault)}

    def with_unread(self, unread: dict[int, Finding]) -> "Examination":
        """With the rows that could not even be read."""
        findings = sorted((*self.findings, *unread.values()), key=lambda finding: finding.row)
        return replace(self, rows=self.rows + len(unread), findings=tuple(findings), set_aside=self.set_aside | unread)


def examine(history: PriceHistory, keep: Keep = Keep.NEWEST) -> Examination:
    sifted = sift(history)
    scaled = rescale(sifted.history, keep)
    lone = spikes(scaled.history)
    kept = scaled.history.only(~np.isin(scaled.history.rows, [finding.row for finding in lone]))
    paid = check_dividends(kept)
    findings = sorted((*sifted.findings, *scaled.findings, *lone, *paid.findings), key=lambda finding: finding.row)
    there = len(history) > 0
    return Examination(
        rows=len(history),
        first_ms=int(history.time.min()) if there else None,
        last_ms=int(history.time.max()) if there else None,
        step_ms=usual_step_ms(sifted.history),
        findings=tuple(findings),
        mended=paid.history,
        set_aside=sifted.set_aside | {finding.row: finding for finding in lone},
    )
