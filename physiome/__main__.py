"""`python -m physiome`."""

from physiome.cli import main

main()
