"""Messages to people and programs outside: the only thing that leaves the machine by itself."""
