"""``python -m las_jupyter.cli``."""

import sys

from las_jupyter.cli.main import main

sys.exit(main())
