"""A process's life: state folder, threads, schedule, watchdog, upkeep."""
