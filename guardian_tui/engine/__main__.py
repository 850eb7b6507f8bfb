"""`python -m guardian_tui.engine`: run an engine (what the client starts)."""

import sys

from guardian_tui.engine.main import run_engine

sys.exit(run_engine(linger="--linger" in sys.argv[1:]))
