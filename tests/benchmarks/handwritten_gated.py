"""The GRU and the peephole LSTM by hand; see `handwritten` for the habits they share."""

from __future__ import annotations

from typing import Any

import numpy as np
from handwritten import Array, Kernel


class GRU(Kernel):
    """Gates r, z, n; the candidate sees r * (W_hn h + b_hn), so x and h have gradients apart."""

    gates, order, sigmoids = 3, (0, 1, 2), slice(0, 2)

    def __init__(self, *sizes: Any) -> None:
        super().__init__(*sizes)
        T, H, B = self.T, self.H, self.B
        self.gate = self.empty(T, 3 * H, B)  # r, z, n
        self.from_h = self.empty(T, 3 * H, B)  # W_hh h, of which n's block (with b_hn) is kept
        self.difference = self.empty(T, H, B)  # h_{t-1} - n
        self.steps = [
            (
                self.from_h[t],
                self.from_h[t, : 2 * H],
                self.from_h[t, 2 * H :],
                self.pre[t, : 2 * H],
                self.pre[t, 2 * H :],
                self.gate[t, : 2 * H],
                self.gate[t, :H],
                self.gate[t, H : 2 * H],
                self.gate[t, 2 * H :],
                self.difference[t],
                self.h[t],
                self.h[t + 1],
            )
            for t in range(T)
        ]
        self.slopes = self.empty(self.chunk, 4, H, B)  # of r, z, W_hn h, and of n itself
        self.each_slope = list(self.slopes)
        self.d = self.empty(T, 4 * H, B)  # the gradients before the activations, in that order
        self.each_d = [(d.reshape(4, H, B), d[: 3 * H]) for d in self.d]
        self.each_z = [gate[H : 2 * H] for gate in self.gate]
        self.through_z = self.empty(H, B)

    def forward(self, x: Array, w: dict[str, Array]) -> Array:
        H = self.H
        bias = w["bias_ih"] + w["bias_hh"]
        bias[2 * H :] = w["bias_ih"][2 * H :]
        w_hh = self.before_the_loop(x, w, bias)
        b_hn = np.repeat(w["bias_hh"][2 * H :, None], self.B, axis=1)
        dot, add, mul, sub, tanh, half = (
            np.dot,
            np.add,
            np.multiply,
            np.subtract,
            np.tanh,
            self.half,
        )
        for u, u_rz, u_n, pre_rz, pre_n, rz, r, z, n, difference, h, new in self.steps:
            dot(w_hh, h, u)
            add(u_rz, pre_rz, u_rz)
            tanh(u_rz, rz)
            mul(rz, half, rz)
            add(rz, half, rz)
            add(u_n, b_hn, u_n)
            mul(r, u_n, n)
            add(n, pre_n, n)
            tanh(n, n)
            sub(h, n, difference)
            mul(z, difference, new)
            add(n, new, new)
        return self.outputs()

    def _slopes(self, start: int, end: int) -> None:
        steps, H, one = slice(start, end), self.H, self.one
        r, z, n = (self.gate[steps, k * H : (k + 1) * H] for k in range(3))
        slopes = self.slopes[: end - start]
        of_r, of_z, of_u, of_n = (slopes[:, k] for k in range(4))
        np.subtract(one, z, out=of_z)
        np.multiply(n, n, out=of_n)
        np.subtract(one, of_n, out=of_n)
        np.multiply(of_n, of_z, out=of_n)
        np.multiply(of_z, z, out=of_z)
        np.multiply(of_z, self.difference[steps], out=of_z)
        np.multiply(of_n, r, out=of_u)
        np.subtract(one, r, out=of_r)
        np.multiply(of_r, of_u, out=of_r)
        np.multiply(of_r, self.from_h[steps, 2 * H :], out=of_r)

    def backward(self, dy: Array) -> dict[str, Array]:
        w_t, dh, through_z, H = self.w_hh_transposed(), self.dh, self.through_z, self.H
        dot, add, mul = np.dot, np.add, np.multiply
        each_dy, each_d, each_z = list(dy.transpose(0, 2, 1)), self.each_d, self.each_z
        each_slope = self.each_slope
        dh[...] = 0
        for start, end in self.chunks():
            self._slopes(start, end)
            for t in range(end - 1, start - 1, -1):
                d, d_h = each_d[t]
                add(dh, each_dy[t], dh)
                mul(dh, each_slope[t - start], d)
                mul(dh, each_z[t], through_z)
                dot(w_t, d_h, dh)
                add(dh, through_z, dh)
        np.copyto(self.dz[:, : 2 * H], self.d[:, : 2 * H])
        np.copyto(self.dz[:, 2 * H :], self.d[:, 3 * H :])
        return self.after_the_loop(self.dz, self.d[:, : 3 * H])


class Peephole(Kernel):
    """f = s(. + p_f c_{t-1}), c = f c_{t-1} + (1 - f) g, o = s(. + p_o c_t), h = o tanh(c)."""

    gates, order, sigmoids = 3, (0, 1, 2), slice(0, 3, 2)  # f, g, o

    def __init__(self, *sizes: Any) -> None:
        super().__init__(*sizes)
        T, H, B = self.T, self.H, self.B
        self.gate = self.empty(T, 3 * H, B)  # f, g, o
        self.c = np.zeros((T + 1, H, B), self.dtype)
        self.difference = self.empty(T, H, B)  # c_{t-1} - g
        self.tanh_c = self.empty(T, H, B)
        self.steps = [
            (
                self.pre[t],
                self.h[t],
                self.gate[t, : 2 * H],
                self.gate[t, :H],
                self.gate[t, H : 2 * H],
                self.gate[t, 2 * H :],
                self.c[t],
                self.c[t + 1],
                self.difference[t],
                self.tanh_c[t],
                self.h[t + 1],
            )
            for t in range(T)
        ]
        self.slopes = self.empty(self.chunk, 3, H, B)
        self.along_c = self.empty(self.chunk, 2, H, B)  # d h_t / d c_t, d c_t / d c_{t-1}
        self.each_slope = [(s[:2], s[2]) for s in self.slopes]
        self.each_along_c = list(self.along_c)
        self.each_dz = [(dz, dz[: 2 * H].reshape(2, H, B), dz[2 * H :]) for dz in self.dz]
        self.dc, self.part = self.empty(H, B), self.empty(H, B)

    def forward(self, x: Array, w: dict[str, Array]) -> Array:
        H = self.H
        w_hh = self.before_the_loop(x, w, w["bias_ih"])
        self.p_f, self.p_o = (
            np.repeat(w[name][:, None], self.B, axis=1) for name in ("peephole_f", "peephole_o")
        )
        p_f, p_o = self.p_f * self.half, self.p_o * self.half
        dot, add, mul, sub, tanh, half, z, part = (
            np.dot,
            np.add,
            np.multiply,
            np.subtract,
            np.tanh,
            self.half,
            self.z,
            self.part,
        )
        z_fg, z_f, z_o = z[: 2 * H], z[:H], z[2 * H :]
        for pre, h, fg, f, g, o, c, new_c, difference, tanh_c, new in self.steps:
            dot(w_hh, h, z)
            add(z, pre, z)
            mul(p_f, c, part)
            add(z_f, part, z_f)
            tanh(z_fg, fg)
            mul(f, half, f)
            add(f, half, f)
            sub(c, g, difference)
            mul(f, difference, part)
            add(part, g, new_c)
            mul(p_o, new_c, part)
            add(z_o, part, z_o)
            tanh(z_o, o)
            mul(o, half, o)
            add(o, half, o)
            tanh(new_c, tanh_c)
            mul(o, tanh_c, new)
        return self.outputs()

    def _slopes(self, start: int, end: int) -> None:
        steps, H, one = slice(start, end), self.H, self.one
        f, g, o = (self.gate[steps, k * H : (k + 1) * H] for k in range(3))
        tanh_c, n = self.tanh_c[steps], end - start
        of_f, of_g, of_o = (self.slopes[:n, k] for k in range(3))
        of_c, onward = self.along_c[:n, 0], self.along_c[:n, 1]
        np.subtract(one, o, out=of_o)
        np.multiply(of_o, o, out=of_o)
        np.multiply(of_o, tanh_c, out=of_o)
        np.multiply(tanh_c, tanh_c, out=of_c)
        np.subtract(one, of_c, out=of_c)
        np.multiply(of_c, o, out=of_c)
        np.multiply(of_o, self.p_o, out=of_f)
        np.add(of_c, of_f, out=of_c)
        np.subtract(one, f, out=of_f)  # d c / d g
        np.multiply(g, g, out=of_g)
        np.subtract(one, of_g, out=of_g)
        np.multiply(of_g, of_f, out=of_g)
        np.multiply(of_f, f, out=of_f)
        np.multiply(of_f, self.difference[steps], out=of_f)
        np.multiply(of_f, self.p_f, out=onward)
        np.add(onward, f, out=onward)

    def backward(self, dy: Array) -> dict[str, Array]:
        w_t, dh, dc, part, H = self.w_hh_transposed(), self.dh, self.dc, self.part, self.H
        dot, add, mul = np.dot, np.add, np.multiply
        each_dy, each_dz = list(dy.transpose(0, 2, 1)), self.each_dz
        each_slope, each_along_c = self.each_slope, self.each_along_c
        dh[...] = dc[...] = 0
        for start, end in self.chunks():
            self._slopes(start, end)
            for t in range(end - 1, start - 1, -1):
                dz, dz_fg, dz_o = each_dz[t]
                of_fg, of_o = each_slope[t - start]
                of_c, onward = each_along_c[t - start]
                add(dh, each_dy[t], dh)
                mul(dh, of_o, dz_o)
                mul(dh, of_c, part)
                add(dc, part, dc)
                mul(dc, of_fg, dz_fg)
                mul(dc, onward, dc)
                dot(w_t, dz, dh)
        gradients = self.after_the_loop(self.dz, self.dz)
        gradients["peephole_f"] = np.einsum("thb,thb->h", self.dz[:, :H], self.c[:-1])
        gradients["peephole_o"] = np.einsum("thb,thb->h", self.dz[:, 2 * H :], self.c[1:])
        return gradients
