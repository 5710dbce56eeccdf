"""The frontend: a step is run once on tracers, recorded, checked and lowered to instructions."""
