"""An account's trading desk: one module a duty, all of one account, none of which knows the bus's handlers.

gate            whether orders may leave now
books           what the venue says, counted once, in one transaction
reports         the books, and what follows from a report: missing fills, a cancellation still wanted
submission      approved in, order out
cancellation    working orders gone
resolution      lost answers, asked for until known
reconciliation  our books against the venue's
desk            the duties put together, and their loops
"""
