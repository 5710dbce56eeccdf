"""ONNX: a file for any runtime."""

from .to_onnx import to_onnx

__all__ = ["to_onnx"]
