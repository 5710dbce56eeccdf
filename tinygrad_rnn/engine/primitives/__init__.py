"""Ops as mathematics: value, gradient rules, batching rule, traits. No Tensor and no graph here."""
