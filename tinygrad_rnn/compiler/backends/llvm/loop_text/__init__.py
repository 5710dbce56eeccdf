"""The loop of a schedule as text: its arrays and places, one line per element and operation."""
