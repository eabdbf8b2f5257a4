"""Whether recorded prices can be trusted: what is wrong with them, what would mend it, and which rows to set aside.

``history`` what is looked at, ``reading`` how it comes out of a file · ``findings`` what is found · ``rows`` order,
holes, impossible numbers · ``scale`` units and splits · ``dividends`` payouts and the adjusted close · ``spikes`` lone
prices · ``examination`` all of it in one go · ``venues`` venues side by side · ``ticks`` the same of a live trade.
Invariant: nothing is dropped. A row is kept, mended with what it said before beside it, or set aside with the reason.
"""
