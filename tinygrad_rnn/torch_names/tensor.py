"""PyTorch's names on a Tensor: each is a descriptor, so that it answers without `__getattr__`.

A class with `__getattr__` makes Python look up every attribute the slow way, also those that exist.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

from ..engine.tensor import Tensor
from .aliases import METHODS, PROPERTIES
from .answers import missing

__all__ = ["install"]

# What `dir` of a Tensor lists in PyTorch 2.13, and what is neither here nor an alias.
ELSEWHERE = """
H abs_ absolute_ acos_ acosh_ add_ addbmm addbmm_ addcdiv addcdiv_ addcmul addcmul_ addmm_ addmv
addmv_ addr addr_ adjoint aminmax angle apply_ arccos_ arccosh_ arcsin_ arcsinh_ arctan2_
arctan_ arctanh_ argwhere as_strided as_strided_ as_strided_scatter as_subclass asin_ asinh_
atan2_ atan_ atanh_ baddbmm baddbmm_ bernoulli bernoulli_ bfloat16 bincount bitwise_and
bitwise_and_ bitwise_left_shift bitwise_left_shift_ bitwise_not bitwise_not_ bitwise_or
bitwise_or_ bitwise_right_shift bitwise_right_shift_ bitwise_xor bitwise_xor_ byte cauchy_
ccol_indices cdouble ceil_ cfloat chalf char cholesky cholesky_inverse cholesky_solve clamp_
clamp_max clamp_max_ clamp_min clamp_min_ clip_ coalesce col_indices conj conj_physical
conj_physical_ const_data_ptr copy_ copysign copysign_ corrcoef cos_ cosh_ cov cross
crow_indices cuda cummax cummin cumprod_ cumsum_ data_ptr deg2rad deg2rad_ dense_dim dequantize
det detach_ device diag_embed diagflat diagonal_scatter digamma digamma_ dim_order dist div_
divide_ dsplit eig element_size eq_ equal erf erf_ erfc erfc_ erfinv erfinv_ exp2_ exp_ expm1_
exponential_ fill_ fill_diagonal_ fix_ fliplr flipud float_power float_power_ floor_
floor_divide floor_divide_ fmax fmin fmod fmod_ frac frac_ frexp gcd gcd_ ge_ geometric_ geqrf
ger get_device grad_dtype grad_fn greater_ greater_equal_ gt_ hardshrink hash_tensor heaviside
heaviside_ histc histogram hsplit hypot_ i0 i0_ igamma igamma_ igammac igammac_ imag index
index_add index_add_ index_copy index_copy_ index_fill index_fill_ index_put index_put_
index_reduce index_reduce_ indices int_repr inverse ipu is_coalesced is_complex is_conj
is_contiguous is_cpu is_cuda is_distributed is_inference is_ipu is_maia is_meta is_mkldnn is_mps
is_mtia is_neg is_nested is_nonzero is_pinned is_quantized is_same_size is_set_to is_shared
is_signed is_sparse is_sparse_csr is_vulkan is_xla is_xpu isneginf isposinf isreal istft kron
kthvalue layout lcm lcm_ ldexp ldexp_ le_ lerp_ less_ less_equal_ lgamma lgamma_ log10_ log1p_
log2_ log_ log_normal_ logaddexp2 logcumsumexp logdet logical_and_ logical_not_ logical_or_
logical_xor_ logit logit_ lstsq lt_ lu lu_solve mH map2_ map_ masked_fill_ masked_scatter
masked_scatter_ matrix_exp matrix_power median mode module_load msort mtia mul_ multinomial
multiply_ mvlgamma mvlgamma_ nan_to_num nan_to_num_ nanmean nanmedian nanquantile nansum
narrow_copy ne_ neg_ negative_ new new_empty new_empty_strided nextafter nextafter_ nonzero
nonzero_static normal_ not_equal_ orgqr ormqr output_nr pin_memory pinverse polygamma polygamma_
positive pow_ prelu put put_ q_per_channel_axis q_per_channel_scales q_per_channel_zero_points
q_scale q_zero_point qr qscheme quantile rad2deg rad2deg_ random_ real reciprocal_ record_stream
register_post_accumulate_grad_hook reinforce relu_ remainder_ renorm renorm_ repeat resize
resize_ resize_as resize_as_ resize_as_sparse_ resolve_conj resolve_neg retains_grad rot90
round_ row_indices rsqrt_ scatter scatter_ scatter_add scatter_add_ scatter_reduce
scatter_reduce_ select_scatter set_ sgn_ share_memory_ sigmoid_ sign_ signbit sin_ sinc sinc_
sinh_ slice_inverse slice_scatter slogdet smm solve sort sparse_dim sparse_mask sparse_resize_
sparse_resize_and_clear_ split split_with_sizes sqrt_ square_ squeeze_ sspaddmm stft storage
storage_offset storage_type stride sub_ subtract_ sum_to_size svd swapaxes_ swapdims_ symeig t_
take tan_ tanh_ tensor_split to_dense to_mkldnn to_padded_tensor to_sparse to_sparse_bsc
to_sparse_bsr to_sparse_coo to_sparse_csc to_sparse_csr topk transpose_ triangular_solve tril_
triu_ true_divide_ trunc_ type unflatten unfold uniform_ unique unique_consecutive unsafe_chunk
unsafe_split unsafe_split_with_sizes unsqueeze_ untyped_storage vsplit xlogy xlogy_ xpu zero_
"""


class TorchName:
    """A name of PyTorch's: the alias that works like it, or an AttributeError that says more."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, t: Tensor | None, kind: type[Tensor]) -> Any:
        if self.name in METHODS:
            return METHODS[self.name] if t is None else MethodType(METHODS[self.name], t)
        if self.name in PROPERTIES:
            return self if t is None else PROPERTIES[self.name](t)
        missing("Tensor", self.name, kind)


def install() -> None:
    """Give Tensor all of these names; those that it has keep their meaning."""
    for name in (*METHODS, *PROPERTIES, *ELSEWHERE.split()):
        if not hasattr(Tensor, name):
            setattr(Tensor, name, TorchName(name))
    Tensor.__torch_function__ = classmethod(_not_ours)  # type: ignore[attr-defined]


def _not_ours(cls: Any, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
    """PyTorch's protocol: it asks this before one of its functions computes with a Tensor here."""
    name = getattr(function, "__name__", "function")
    raise TypeError(
        f"torch.{name} computes with PyTorch's Tensors, and this is one of tinygrad_rnn: write "
        f"tg.{name}, or take the array out of the graph, torch.from_numpy(t.detach().numpy())"
    )
