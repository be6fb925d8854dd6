"""Follows a collection from Python: `subscribe` yields its messages, and a `Tracker` folds them into the state of each batch.
`exported` yields the results of an upload.
"""

from quire_client.cursor import Item, Refused
from quire_client.exporting import exported
from quire_client.subscribing import NotifierAway, subscribe
from quire_client.tracking import Batch, File, Tracker

__all__ = ["Batch", "File", "Item", "NotifierAway", "Refused", "Tracker", "exported", "subscribe"]
