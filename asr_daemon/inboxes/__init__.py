"""The front of the way: what lies in the shared folders, when it is settled, and into the queue with it."""
