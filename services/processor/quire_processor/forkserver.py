"""Prepares the process that forks the workers. Only that process imports this module; workers inherit what is loaded here.

Other processes may not read the forking process's memory: a worker that was taken over runs under the same user. A forking
process that was started with the processor's credentials ends before it forks: the processor then starts another process,
without credentials.
"""

import os

from quire_processor import libraries
from quire_processor.confine import keep_secrets
from quire_processor.environment import has_credentials

if has_credentials():
    os._exit(1)
keep_secrets()
libraries.load()
