"""An account's trading desk: one module a duty, all of one account, none of which knows the bus's handlers.

gate            whether orders may leave now
books           what the venue says, counted once, in one transaction
reports         the books, and what follows from a report: missing fills, a cancellation still wanted
submission      approved in, order out
preparation     what has to go before an order may leave: the one it replaces, exits that have the money locked
readying        orders that need it, from approved to sent or held
triggers        orders that wait here for a price, and those that go to the venue in legs
exits           what a look at one symbol finds, and the orders and events that follow (pure)
guard           exits that match the position, made good from the books alone
watchdog        sees to it that no position stays bare
cancellation    working orders gone
resolution      lost answers, asked for until known
reconciliation  our books against the venue's
desk            the duties put together, and their loops
"""
