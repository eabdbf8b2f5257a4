"""Errors of ingest, by who acts.

AlgoTrendyError
├── Retryable
│   ├── VenueAway       a venue does not answer or cut the line: back off and try again
│   └── StoreAway       QuestDB does not answer: batches stay unacknowledged and come again
└── Refused             a question that has no answer: unknown instrument, impossible range
"""

from algotrendy_common.errors import Retryable


class VenueAway(Retryable):
    """A venue's REST or socket failed."""


class StoreAway(Retryable):
    """QuestDB failed or is not there."""
