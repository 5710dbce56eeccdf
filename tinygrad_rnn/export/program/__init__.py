"""A call of a model as a program that any target can read, and its interpreter."""

from .program import Program, program_of, random_ops, tensors_of

__all__ = ["Program", "program_of", "random_ops", "tensors_of"]
