"""`python -m quire_processor`: serve, or check-config."""

import sys

from quire_processor.main import serve
from quire_processor.settings import ProcessorSettings
from quire_runtime import command

if __name__ == "__main__":
    sys.exit(command.run(ProcessorSettings, serve, sys.argv[1:]))
