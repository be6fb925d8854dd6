"""Makes pages for people from the generated documents: plain HTML without scripts, which the notifier serves at `/docs`."""
