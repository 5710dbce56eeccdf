"""Decoding: a recurrent model that reads its own outputs.

`generate` samples, `beam_search` looks for the likeliest sequences, and `scheduled_sampling` lets a
model read its own choices while it is trained. A model is all that is called like a layer,
`outputs, state = model(x, state)`.
"""

from .beams import Beams, beam_search
from .generation import Generated, generate
from .scheduled import scheduled_sampling

__all__ = ["Beams", "Generated", "beam_search", "generate", "scheduled_sampling"]
