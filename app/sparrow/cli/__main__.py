"""`python -m sparrow.cli`: the `sparrow` command where its script is not on the path."""

import sys

from sparrow.cli import main

sys.exit(main())
