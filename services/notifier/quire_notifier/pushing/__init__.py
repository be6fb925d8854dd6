"""From the feed's table to every subscriber: each message is read once and encoded once, whatever it is written to."""
