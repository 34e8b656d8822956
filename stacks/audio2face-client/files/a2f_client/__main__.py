"""`python -m a2f_client`."""

import sys

from a2f_client.cli import main

sys.exit(main())
