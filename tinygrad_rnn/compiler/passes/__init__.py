"""The passes: each rewrites a step or places its instructions."""
