"""``python -m tests.faults.risk``: the same as ``python -m tests.faults risk``."""

import sys

from tests.faults.risk.run import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
