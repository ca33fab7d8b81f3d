"""What an administrator sees from outside: journal, status, metrics, systemd's notifications."""
