"""One module per screen: lays out widgets, turns snapshots into their data and keys into commands."""
