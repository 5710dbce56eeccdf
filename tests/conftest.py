"""Settings of the whole test suite."""

from __future__ import annotations

import os

# Before NumPy is imported: the tests' matrices are small, and threads that wait for each other
# on a busy machine take many times as long as one.
for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
# JAX compiles each random program for one run: there is nothing to optimise for.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

from hypothesis import HealthCheck, settings  # noqa: E402

# Reproducible by default; `--hypothesis-profile=thorough` looks further and elsewhere each time.
# A test with an expensive example takes a share, `settings().max_examples * 40 // 100`, of either.
slow = [HealthCheck.too_slow]
settings.register_profile("ci", derandomize=True, deadline=None, suppress_health_check=slow)
settings.register_profile(
    "thorough", max_examples=2000, deadline=None, suppress_health_check=slow, print_blob=True
)
settings.load_profile("ci")
