"""What people see in a terminal, and what spreadsheets and scripts get: tables, bars, cells."""
