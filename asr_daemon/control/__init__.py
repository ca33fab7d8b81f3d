"""The control socket: what commands ask of the running daemon, and what it answers."""
