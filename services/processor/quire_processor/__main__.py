"""The command `python -m quire_processor`, with its subcommands serve, check-config and prepare."""

import sys

from quire_runtime.guardian import guard

if __name__ == "__main__":  # not in the worker processes, which import this module under another name
    guard("processor", sys.argv[1:])

from quire_runtime.signals import end_at_sigterm

end_at_sigterm()

from quire_processor.settings import ProcessorSettings
from quire_runtime.command import check_alone

check_alone(ProcessorSettings, sys.argv[1:])

from quire_processor.main import serve
from quire_processor.prepare import connect, prepare
from quire_runtime import command
from quire_runtime.preparing import prepare_command

if __name__ == "__main__":
    sys.exit(command.run(ProcessorSettings, serve, sys.argv[1:], {"prepare": prepare_command("processor", prepare)}, connect))
