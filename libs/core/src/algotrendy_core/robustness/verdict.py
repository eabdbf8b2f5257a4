"""Which lines the evidence crosses.

Invariant: every part of an examination has its finding, also where it could not be carried out.
"""

from algotrendy_core.robustness.evidence import Examined
from algotrendy_core.robustness.findings import Finding, Lines

_NOT_DONE = "could not be looked into: too little history, or no trades"


def findings_of(found: Examined, lines: Lines) -> list[Finding]:
    return [
        _holds_unseen(found, lines),
        _not_chosen_by_luck(found, lines),
        _not_the_best_of_noise(found, lines),
        _better_than_random(found, lines),
        _stands_on_a_plateau(found, lines),
        _survives_other_histories(found, lines),
        _survives_other_orders(found, lines),
        *_survives_costs(found),
        _knows_no_future(found),
        _forgets_its_start(found),
        _yardstick(found, lines),
    ]


def _holds_unseen(found: Examined, lines: Lines) -> Finding:
    seen, unseen = found.seen.sharpe or 0.0, found.unseen.sharpe or 0.0
    return Finding(
        "holds_unseen", "Does the end of the history, looked at on its own, show the same?",
        unseen > 0 and unseen >= lines.unseen_keeps * seen, f"Sharpe {seen:.2f} before, {unseen:.2f} there",
        f"above 0 and at least {lines.unseen_keeps:.0%} of it",
    )  # fmt: skip


def _not_chosen_by_luck(found: Examined, lines: Lines) -> Finding:
    over = found.overfitting
    return Finding(
        "not_overfitted", "Does the best set of parameters stay good where it was not chosen?",
        over is not None and over.probability < lines.probability_of_overfitting,
        _NOT_DONE if over is None else
        f"below the median in {over.probability:.0%} of {len(over.splits)} splits,"
        f" a loss in {over.probability_of_loss:.0%}",
        f"below {lines.probability_of_overfitting:.0%}",
    )  # fmt: skip


def _not_the_best_of_noise(found: Examined, lines: Lines) -> Finding:
    deflated = found.deflated
    return Finding(
        "deflated_sharpe", "Is the Sharpe ratio more than the best of so many worthless sets would show?",
        deflated is not None and deflated.probability >= lines.deflated_sharpe,
        _NOT_DONE if deflated is None else f"probability {deflated.probability:.1%} after {deflated.trials} sets",
        f"at least {lines.deflated_sharpe:.0%}",
    )  # fmt: skip


def _better_than_random(found: Examined, lines: Lines) -> Finding:
    chance = found.significance
    return Finding(
        "better_than_random", "Would trades of the same lengths at random times have done as well?",
        chance is not None and chance.p_value <= lines.p_value,
        _NOT_DONE if chance is None else f"{chance.p_value:.1%} of {chance.draws} random ones did",
        f"at most {lines.p_value:.0%}",
    )  # fmt: skip


def _stands_on_a_plateau(found: Examined, lines: Lines) -> Finding:
    share = found.surface.share_profitable if found.surface is not None else None
    return Finding(
        "plateau", "Do parameters nearby work too?", share is not None and share >= lines.neighbours_profitable,
        "there are no parameters to move" if share is None else f"{share:.0%} of the neighbours are profitable",
        f"at least {lines.neighbours_profitable:.0%}",
    )  # fmt: skip


def _survives_other_histories(found: Examined, lines: Lines) -> Finding:
    other = found.histories
    return Finding(
        "other_histories", "Would it have earned in other histories made of the same moves?",
        other is not None and other.share_losing <= lines.histories_losing,
        _NOT_DONE if other is None else f"a loss in {other.share_losing:.0%} of {other.draws}",
        f"at most {lines.histories_losing:.0%}",
    )  # fmt: skip


def _survives_other_orders(found: Examined, lines: Lines) -> Finding:
    drawn = found.trade_draws
    return Finding(
        "other_orders", "Is the drawdown still bearable when the trades fall differently?",
        drawn is not None and drawn.max_drawdown.high <= 2 * lines.yardstick_drawdown,
        _NOT_DONE if drawn is None else f"the worst twentieth is {drawn.max_drawdown.high:.0%} or deeper",
        f"at most {2 * lines.yardstick_drawdown:.0%}",
    )  # fmt: skip


def _survives_costs(found: Examined) -> list[Finding]:
    """The harshest of each kind is told of; what gates is twice the fees, and being one bar late."""
    return [
        Finding(
            f"stress: {stress.name}", "Does it still earn?", stress.total_return > 0,
            f"{stress.total_return:+.1%}", "above 0", gates=stress.name in ("fees × 2", "1 bar late"),
        )
        for stress in found.stresses
    ]  # fmt: skip


def _knows_no_future(found: Examined) -> Finding:
    ahead = found.look_ahead
    said = "the same decisions whatever comes later"
    if ahead is not None:
        said = f"bar {ahead.bar} was decided otherwise: {ahead.guilty or 'no line of its own shows where'}"
    return Finding("no_look_ahead", "Does it know what it cannot know?", ahead is None, said, "never")


def _forgets_its_start(found: Examined) -> Finding:
    start = found.start_dependence
    said = "the same decisions wherever it begins"
    if start is not None:
        said = (
            f"bar {start.bar} is decided otherwise when begun {start.bars_seen} bars before"
            f" (warm after {start.warm_up}): {start.guilty or 'no line of its own shows where'}"
        )
    return Finding(
        "start_does_not_matter", "Once warm, does it decide as if it had always run?", start is None, said, "never",
        # An average that fades is no mistake; what it was when trading began is worth knowing.
        gates=False,
    )  # fmt: skip


def _yardstick(found: Examined, lines: Lines) -> Finding:
    ratio, drawdown = found.unseen.sharpe, found.unseen.max_drawdown
    return Finding(
        "yardstick", "Is it good, and not only real?",
        ratio is not None and ratio > lines.yardstick_sharpe and drawdown < lines.yardstick_drawdown,
        f"Sharpe {'undefined' if ratio is None else f'{ratio:.2f}'}, drawdown {drawdown:.1%} at the end of the history",
        f"Sharpe above {lines.yardstick_sharpe}, drawdown below {lines.yardstick_drawdown:.0%}", gates=False,
    )  # fmt: skip
