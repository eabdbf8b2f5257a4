"""Errors of the broker gateway, by who acts.

Retryable
├── OutcomeUnknown       an order call that may or may not have had its effect: ask the venue, never send again
├── LeaseLost            another gateway has the account: this one ends, the message goes to that one
└── VenueUnreachable     a question the venue did not answer: ask again
Refused
├── VenueRefused         the venue said no, in words
└── ForgedApproval       not signed by risk, or changed since
InvariantBroken
├── KeyTooPowerful       an API key that could withdraw money
└── OutboundBreach       more would leave than was approved
"""

from algotrendy_common.errors import InvariantBroken, Refused, Retryable


class OutcomeUnknown(Retryable):
    """The order may be working at the venue."""


class LeaseLost(Retryable):
    """Nothing was written."""


class VenueUnreachable(Retryable):
    """A query without an answer; nothing was changed by it."""


class VenueRefused(Refused):
    """``code`` is ours, ``context["venue_code"]`` the venue's."""


class ForgedApproval(Refused):
    """Never acted upon; its message is dead-lettered whole."""


class KeyTooPowerful(InvariantBroken):
    """Trading keys must not be able to move money out."""


class OutboundBreach(InvariantBroken):
    """The independent count found an order that no approval covers."""
