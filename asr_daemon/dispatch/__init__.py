"""From the queue to recognisers and back: sessions, the protocol, and the processes behind it."""
