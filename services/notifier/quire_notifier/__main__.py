"""`python -m quire_notifier`."""

import sys

from quire_runtime.guardian import guard

guard("notifier", sys.argv[1:])

from quire_runtime.signals import end_at_sigterm

end_at_sigterm()

from quire_notifier.settings import NotifierSettings
from quire_runtime.command import check_alone

check_alone(NotifierSettings, sys.argv[1:])

from quire_notifier.main import serve
from quire_notifier.prepare import connect, prepare
from quire_notifier.print_log import events
from quire_notifier.rebuild_command import rebuild_command
from quire_runtime.command import run
from quire_runtime.preparing import prepare_command

commands = {"prepare": prepare_command("notifier", prepare), "rebuild": rebuild_command, "events": events}
sys.exit(run(NotifierSettings, serve, sys.argv[1:], commands, connect))
