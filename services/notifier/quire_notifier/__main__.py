"""`python -m quire_notifier`."""

import sys

from quire_notifier.commands import rebuild_command
from quire_notifier.events import events
from quire_notifier.main import serve
from quire_notifier.settings import NotifierSettings
from quire_runtime.command import run

sys.exit(run(NotifierSettings, serve, sys.argv[1:], {"rebuild": rebuild_command, "events": events}))
