"""Live captions in the recogniser: sound comes in on a socket, text goes out while it is spoken."""
