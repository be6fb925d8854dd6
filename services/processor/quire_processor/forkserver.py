"""Imported by the process that forks the workers, and by nothing else: what each of them is born with.

It keeps its memory to itself, as a worker that was taken over runs under the same user. Where it was born with the processor's
credentials, it ends before it forks: the processor then starts another one, without them.
"""

import os

from quire_processor import libraries
from quire_processor.confine import keep_secrets
from quire_processor.environment import has_credentials

if has_credentials():
    os._exit(1)
keep_secrets()
libraries.load()
