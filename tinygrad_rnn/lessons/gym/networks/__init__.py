"""The networks of the gym as they should be; `faults` plants the slips in their text."""
