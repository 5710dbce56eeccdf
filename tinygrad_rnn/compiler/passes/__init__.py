"""The passes: each rewrites a step or schedules its instructions."""
