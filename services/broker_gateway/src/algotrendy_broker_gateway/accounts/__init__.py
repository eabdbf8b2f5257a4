"""What accounts have in common, whichever desk trades them.

lease        one active gateway an account, with a fencing epoch
vault        keys of venues, encrypted at rest
selection    which account to use while another's venue is away
halting      the kill switch's halts, and the kill file
heartbeat    the venue's own dead-man's switch, kept armed
watchman     cancels for a gateway that has fallen silent where the venue does not
"""
