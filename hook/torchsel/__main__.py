"""Run torchsel as ``python -m torchsel``."""

import sys

from torchsel.cli import main

sys.exit(main())
