"""The frontend: a step is run once, recorded, checked and lowered to instructions."""
