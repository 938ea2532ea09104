"""What was known, and when? Deal tables in and out, the snapshot history, calendars and exchange rates."""
