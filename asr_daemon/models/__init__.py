"""Models: what lies in the models folder, which one is used, and the built-in one."""
