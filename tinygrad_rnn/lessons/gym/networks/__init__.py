"""The correct networks of the gym; `faults` inserts the bugs into their text."""
