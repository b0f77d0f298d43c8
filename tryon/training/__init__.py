"""Training and evaluation; never imported by the app."""
