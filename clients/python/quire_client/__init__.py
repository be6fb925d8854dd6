"""Follows a collection from Python: `subscribe` gives its messages, a `Tracker` makes of them where each batch stands. `exported`
gives the results of an upload.
"""

from quire_client.cursor import Item, Refused
from quire_client.exporting import exported
from quire_client.subscribing import NotifierAway, subscribe
from quire_client.tracking import Batch, File, Tracker

__all__ = ["Batch", "File", "Item", "NotifierAway", "Refused", "Tracker", "exported", "subscribe"]
