"""The command `python -m quire_ingest`, with its subcommands serve, check-config, prepare and sweep."""

import sys

from quire_runtime.signals import end_at_sigterm

end_at_sigterm()

from quire_ingest.settings import IngestSettings
from quire_runtime.command import check_alone

check_alone(IngestSettings, sys.argv[1:])

from quire_ingest.main import serve
from quire_ingest.prepare import connect, prepare
from quire_ingest.sweeping import sweep_command
from quire_runtime import command
from quire_runtime.preparing import prepare_command

if __name__ == "__main__":
    commands = {"prepare": prepare_command("ingest", prepare), "sweep": sweep_command}
    sys.exit(command.run(IngestSettings, serve, sys.argv[1:], commands, connect))
