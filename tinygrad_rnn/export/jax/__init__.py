"""JAX: a pure function."""

from .to_jax import to_jax

__all__ = ["to_jax"]
