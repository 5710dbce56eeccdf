"""Recurrent layers written by hand in NumPy, forward and backward: the line to be measured by.

This is what an expert does without an autodiff engine, and what the scan has to derive by itself.

* The batch is the last axis inside: W_hh (G*H, H) @ h (H, B) gives every gate as a contiguous
  block of rows, so that each ufunc runs over contiguous memory.
* The input's products for all steps come before the loop, the weights' gradients after it, as
  single GEMMs.
* sigmoid(z) = tanh(z / 2) / 2 + 1/2, with the first half folded into the weights: one tanh runs
  over all gates.
* Whatever of the backward step depends on saved values only (the slopes) is computed for a chunk
  of steps at once, before the reverse loop comes to them.
* Buffers, and the views of each step, are made once for a shape; scalars are 0-d arrays; products
  in the loop are `np.dot(..., out)`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

Array = Any
CHUNK_ELEMENTS = 1 << 16  # slopes computed at once: they stay in the second-level cache


class Kernel:
    """What the cells share. T steps, B sequences, I inputs, H hidden units; all C-contiguous.

    `gates`: the blocks of H rows in the weights. `order`: PyTorch's block at each of our places.
    `sigmoids`: which of our places are sigmoids, as a slice.
    """

    gates: int
    order: tuple[int, ...]
    sigmoids: slice

    def __init__(self, T: int, B: int, I: int, H: int, dtype: Any) -> None:
        self.T, self.B, self.I, self.H, self.dtype = T, B, I, H, dtype
        G = self.gates
        self.half, self.one = np.array(0.5, dtype), np.array(1, dtype)
        place = np.argsort(self.order)
        self.to_ours = np.concatenate([np.arange(H) + g * H for g in self.order])
        self.to_pytorch = np.concatenate([np.arange(H) + p * H for p in place])
        self.scale = np.ones(G * H, dtype)
        self.scale.reshape(G, H)[self.sigmoids] = 0.5
        self.pre = self.empty(T, G * H, B)  # W_ih x_t + b, then activations
        self.z = self.empty(G * H, B)
        self.h = np.zeros((T + 1, H, B), dtype)  # h[t] is the state before step t
        self.dz = self.empty(T, G * H, B)
        self.dh = self.empty(H, B)
        self.chunk = max(1, min(T, CHUNK_ELEMENTS // (G * H * B)))

    def empty(self, *shape: int) -> Array:
        return np.empty(shape, self.dtype)

    def chunks(self) -> Iterator[tuple[int, int]]:
        """The chunks of steps, (start, end), from the last to the first."""
        for end in range(self.T, 0, -self.chunk):
            yield max(0, end - self.chunk), end

    def before_the_loop(self, x: Array, w: dict[str, Array], bias: Array) -> Array:
        """Fill `pre` for all steps; returns the recurrent weights, in our order and scaled."""
        self.x, self.w = x, w
        scale = self.scale[:, None]
        w_ih, bias = w["weight_ih"][self.to_ours] * scale, bias[self.to_ours] * self.scale
        if self.B == 1:
            np.dot(x[:, 0], w_ih.T, out=self.pre[:, :, 0])
        else:
            np.matmul(w_ih, x.transpose(0, 2, 1), out=self.pre)
        np.add(self.pre, bias[:, None], out=self.pre)
        return w["weight_hh"][self.to_ours] * scale

    def w_hh_transposed(self) -> Array:
        """(H, G*H), contiguous, in our order, for dh = W_hh^T dz."""
        return np.ascontiguousarray(self.w["weight_hh"][self.to_ours].T)

    def steps_first(self, dz: Array) -> Array:
        """(T, rows, B) as a matrix (T*B, rows)."""
        return dz.transpose(0, 2, 1).reshape(self.T * self.B, -1)

    def rows_first(self, dz: Array) -> Array:
        """(T, rows, B) as a matrix (rows, T*B), in whichever memory order needs no copy."""
        if self.B == 1:
            return dz[:, :, 0].T
        return dz.transpose(1, 0, 2).reshape(-1, self.T * self.B)

    def after_the_loop(self, dz_x: Array, dz_h: Array) -> dict[str, Array]:
        """The gradients of the input, weights and biases, from those before the activations."""
        for_x = self.rows_first(dz_x)
        for_h = for_x if dz_h is dz_x else self.rows_first(dz_h)
        h, x, w = self.rows_first(self.h[:-1]), self.x.reshape(-1, self.I), self.w
        ones = np.ones(self.T * self.B, self.dtype)
        w_ih = w["weight_ih"][self.to_ours]
        back = self.to_pytorch
        db_x = np.dot(for_x, ones)[back]
        return {
            "x": np.dot(for_x.T, w_ih).reshape(self.x.shape),
            "weight_ih": np.dot(for_x, x)[back],
            "weight_hh": np.dot(for_h, h.T)[back],
            "bias_ih": db_x,
            "bias_hh": db_x if dz_h is dz_x else np.dot(for_h, ones)[back],
        }

    def outputs(self) -> Array:
        """(T, B, H), a view."""
        return self.h[1:].transpose(0, 2, 1)


class RNN(Kernel):
    """h_t = tanh(W_ih x_t + W_hh h_{t-1} + b)."""

    gates, order, sigmoids = 1, (0,), slice(0, 0)

    def __init__(self, *sizes: Any) -> None:
        super().__init__(*sizes)
        self.steps = list(zip(self.pre, self.h[:-1], self.h[1:], strict=True))
        self.slopes = self.empty(self.chunk, self.H, self.B)
        self.each_slope = list(self.slopes)
        self.each_dz = list(self.dz)

    def forward(self, x: Array, w: dict[str, Array]) -> Array:
        w_hh = self.before_the_loop(x, w, w["bias_ih"] + w["bias_hh"])
        dot, add, tanh, z = np.dot, np.add, np.tanh, self.z
        for pre, h, new in self.steps:
            dot(w_hh, h, z)
            add(z, pre, z)
            tanh(z, new)
        return self.outputs()

    def backward(self, dy: Array) -> dict[str, Array]:
        w_t, dh, slopes, dot, add, mul = (
            self.w_hh_transposed(),
            self.dh,
            self.slopes,
            np.dot,
            np.add,
            np.multiply,
        )
        each_dy, each_dz = list(dy.transpose(0, 2, 1)), self.each_dz
        dh[...] = 0
        for start, end in self.chunks():
            h, slope = self.h[start + 1 : end + 1], slopes[: end - start]
            np.subtract(self.one, np.multiply(h, h, out=slope), out=slope)
            for t in range(end - 1, start - 1, -1):
                dz = each_dz[t]
                add(dh, each_dy[t], dh)
                mul(dh, self.each_slope[t - start], dz)
                dot(w_t, dz, dh)
        return self.after_the_loop(self.dz, self.dz)


class LSTM(Kernel):
    """Gates in the order o, i, f, g, and c_{t-1} after g: (i, f) * (g, c) is one product."""

    gates, order, sigmoids = 4, (3, 0, 1, 2), slice(0, 3)

    def __init__(self, *sizes: Any) -> None:
        super().__init__(*sizes)
        T, H, B = self.T, self.H, self.B
        self.a = self.empty(T + 1, 5 * H, B)  # o, i, f, g, c_{t-1}
        self.a[0, 4 * H :] = 0
        self.tanh_c = self.empty(T, H, B)
        self.products = self.empty(2 * H, B)
        self.steps = [
            (
                self.pre[t],
                self.h[t],
                self.a[t, : 4 * H],
                self.a[t, : 3 * H],
                self.a[t, H : 3 * H],
                self.a[t, 3 * H :],
                self.a[t + 1, 4 * H :],
                self.tanh_c[t],
                self.a[t, :H],
                self.h[t + 1],
            )
            for t in range(T)
        ]
        self.slopes = self.empty(self.chunk, 4 * H, B)
        self.c_slopes = self.empty(self.chunk, H, B)
        self.each_slope = [(s[:H], s[H:].reshape(3, H, B)) for s in self.slopes]
        self.each_c_slope = list(self.c_slopes)
        self.each_dz = [(dz, dz[:H], dz[H:].reshape(3, H, B)) for dz in self.dz]
        self.each_f = [a[2 * H : 3 * H] for a in self.a]
        self.dc, self.by_c = self.empty(H, B), self.empty(H, B)

    def forward(self, x: Array, w: dict[str, Array]) -> Array:
        w_hh = self.before_the_loop(x, w, w["bias_ih"] + w["bias_hh"])
        dot, add, mul, tanh, half, z = np.dot, np.add, np.multiply, np.tanh, self.half, self.z
        products = self.products
        first, second = products[: self.H], products[self.H :]
        for pre, h, gates, oif, i_f, g_c, c, tanh_c, o, new in self.steps:
            dot(w_hh, h, z)
            add(z, pre, z)
            tanh(z, gates)
            mul(oif, half, oif)
            add(oif, half, oif)
            mul(i_f, g_c, products)
            add(first, second, c)
            tanh(c, tanh_c)
            mul(o, tanh_c, new)
        return self.outputs()

    def _slopes(self, start: int, end: int) -> None:
        """d h / d c, and d h / d z of o, d c / d z of i, f and g, for the steps of a chunk."""
        n, H, one = end - start, self.H, self.one
        o, i, _, g, c = (self.a[start:end, k * H : (k + 1) * H] for k in range(5))
        oif = self.a[start:end, : 3 * H]
        tanh_c, slopes, c_slopes = self.tanh_c[start:end], self.slopes[:n], self.c_slopes[:n]
        np.multiply(tanh_c, tanh_c, out=c_slopes)
        np.subtract(one, c_slopes, out=c_slopes)
        np.multiply(c_slopes, o, out=c_slopes)
        np.subtract(one, oif, out=slopes[:, : 3 * H])
        np.multiply(slopes[:, : 3 * H], oif, out=slopes[:, : 3 * H])
        of_o, of_i, of_f, of_g = (slopes[:, k * H : (k + 1) * H] for k in range(4))
        np.multiply(of_o, tanh_c, out=of_o)
        np.multiply(of_i, g, out=of_i)
        np.multiply(of_f, c, out=of_f)
        np.multiply(g, g, out=of_g)
        np.subtract(one, of_g, out=of_g)
        np.multiply(of_g, i, out=of_g)

    def backward(self, dy: Array) -> dict[str, Array]:
        w_t, dh, dc, by_c = self.w_hh_transposed(), self.dh, self.dc, self.by_c
        dot, add, mul = np.dot, np.add, np.multiply
        each_dy, each_dz, each_f = list(dy.transpose(0, 2, 1)), self.each_dz, self.each_f
        each_slope, each_c_slope = self.each_slope, self.each_c_slope
        dh[...] = dc[...] = 0
        for start, end in self.chunks():
            self._slopes(start, end)
            for t in range(end - 1, start - 1, -1):
                dz, dz_o, dz_ifg = each_dz[t]
                of_o, of_ifg = each_slope[t - start]
                add(dh, each_dy[t], dh)
                mul(dh, of_o, dz_o)
                mul(dh, each_c_slope[t - start], by_c)
                add(dc, by_c, dc)
                mul(dc, of_ifg, dz_ifg)
                mul(dc, each_f[t], dc)
                dot(w_t, dz, dh)
        return self.after_the_loop(self.dz, self.dz)


class Products:
    """The matrix products of one training step and nothing else, each in its best form."""

    def __init__(self, T: int, B: int, I: int, H: int, gates: int, dtype: Any) -> None:
        draw = np.random.default_rng(0)

        def some(*shape: int) -> Array:
            return draw.standard_normal(shape).astype(dtype)

        rows = gates * H
        self.T, self.x, self.h, self.dz = T, some(T * B, I), some(T * B, H), some(T * B, rows)
        self.w_ih, self.w_hh, self.w_t = some(rows, I), some(rows, H), some(H, rows)
        self.h_t, self.dz_t, self.z, self.dh = some(H, B), some(rows, B), some(rows, B), some(H, B)

    def infer(self) -> None:
        """W_ih x for all steps at once, W_hh h for each step."""
        np.dot(self.x, self.w_ih.T)
        for _ in range(self.T):
            np.dot(self.w_hh, self.h_t, self.z)

    def train(self) -> list[Array]:
        """Those of `infer`, W_hh^T dz for each step, and dx, dW_ih, dW_hh."""
        self.infer()
        for _ in range(self.T):
            np.dot(self.w_t, self.dz_t, self.dh)
        np.dot(self.dz, self.w_ih)
        np.dot(self.dz.T, self.x)
        np.dot(self.dz.T, self.h)
        return []
