"""`python -m api.cli`: the command line where no script was installed for it."""

from __future__ import annotations

from api.cli import main

main()
