"""`python -m perishield`."""

from perishield.cli import main

main()
