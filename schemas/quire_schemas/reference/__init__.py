"""The generated documents as pages for people: plain HTML without scripts, which the notifier serves at `/docs`."""
