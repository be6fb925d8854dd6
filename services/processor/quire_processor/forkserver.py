"""Imported by the process that forks the workers, and by nothing else: what each of them is born with.

It keeps its memory to itself, as a worker that was taken over runs under the same user.
"""

from quire_processor import libraries
from quire_processor.confine import keep_secrets

keep_secrets()
libraries.load()
