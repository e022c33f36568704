"""`python -m physiome`."""

import sys

from physiome import warm

status = warm.ask()
if status is not None:
    sys.exit(status)

from physiome.cli import main  # noqa: E402

main()
