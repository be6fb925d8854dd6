"""`python -m quire_ingest`: serve, check-config or sweep."""

import sys

from quire_ingest.main import serve
from quire_ingest.settings import IngestSettings
from quire_ingest.sweeping import sweep_command
from quire_runtime import command

if __name__ == "__main__":
    sys.exit(command.run(IngestSettings, serve, sys.argv[1:], {"sweep": sweep_command}))
