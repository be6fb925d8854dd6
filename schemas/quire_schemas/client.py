"""Another name of the package `quire_client`, which the distribution quire-client contains."""

from quire_client import Item, NotifierAway, Refused, subscribe

__all__ = ["Item", "NotifierAway", "Refused", "subscribe"]
