"""Another name for `quire_client`, which the distribution quire-client brings."""

from quire_client import Item, NotifierAway, Refused, subscribe

__all__ = ["Item", "NotifierAway", "Refused", "subscribe"]
