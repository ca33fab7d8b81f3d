"""Files and file systems: system calls, mounts, temporary names, writing whole or not at all."""
