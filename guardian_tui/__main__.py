"""`python -m guardian_tui` is `guardian-tui`."""

from guardian_tui.cli.main import main

main()
