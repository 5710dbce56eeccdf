"""Decoding: samples have the model's distribution, and a beam search finds what a full one does."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.compiler.specialization import compiled_steps
from tinygrad_rnn.nn.decoding import generation

few = settings(max_examples=settings().max_examples * 20 // 100)


class Language(nn.Module):
    """A small language model; its states are PyTorch's, with the batch as their second axis."""

    def __init__(self, tokens: int = 5, batch_first: bool = False) -> None:
        self.embedding = nn.Embedding(tokens, 3)
        self.lstm = nn.LSTM(3, 4, 2, batch_first=batch_first)
        self.head = nn.Linear(4, tokens)

    def forward(self, x, state=None, lengths=None):
        outputs, state = self.lstm(self.embedding(x), state, lengths)
        return self.head(outputs), state


LANGUAGES = {tokens: Language(tokens) for tokens in (2, 3, 5)}


def a_model(tokens: int, seed: int) -> Language:
    """Weights of their own, in a model whose programs are known: compiling takes the time here."""
    rng = np.random.default_rng(seed)
    for parameter in LANGUAGES[tokens].parameters():
        parameter.data = rng.standard_normal(parameter.shape).astype("f4")
    return LANGUAGES[tokens]


@pytest.fixture
def model() -> Language:
    return a_model(5, 0)


def log_probs_of(model, text, **options) -> np.ndarray:
    """The log probability of each token after the first, (T - 1, B), by one teacher-forced run."""
    scores, _ = model(text[:-1], **options)
    return np.take_along_axis(tg.log_softmax(scores).data, text[1:, :, None], -1)[..., 0]


def by_hand(model, start, steps):
    """What greedy decoding gives, with a loop."""
    text = np.array(start)
    for _ in range(steps):
        scores, _ = model(text)
        text = np.concatenate([text, scores.data[-1:].argmax(-1)])
    return text[len(start) :]


# --- the choice


def table(*log_p):
    """A model without memory: every step has these scores, whatever it reads."""
    scores = tg.tensor(np.array(log_p, "f4"))
    return lambda x, state: (tg.zeros(*x.shape, 1) + scores, None)


@few
@given(
    st.lists(st.floats(-3, 3, width=16), min_size=1, max_size=6, unique=True),
    st.sampled_from([0.5, 1.0, 2.0]),
    st.one_of(st.none(), st.integers(1, 7)),
    st.one_of(st.none(), st.floats(0.05, 1.0)),
    st.integers(0, 2**32 - 1),
)
def test_samples_are_of_the_tempered_softmax_of_the_tokens_left(scores, heat, k, p, seed) -> None:
    """The frequencies in 4,000 draws are within five standard errors."""
    q = np.exp(np.array(scores, "f8") / heat)
    order = np.argsort(-q)
    if k is not None:
        q[order[k:]] = 0
    q /= q.sum()
    edges = [0.0]
    if p is not None:
        before = np.cumsum(q[order]) - q[order]
        edges = [abs(b - p) for b in before]
        q[order[before >= p]] = 0
    q /= q.sum()
    found = nn.generate(
        table(*scores), np.zeros((1, 4000), int), 1, temperature=heat, top_k=k, top_p=p,
        generator=np.random.default_rng(seed),
    )  # fmt: skip
    share = np.bincount(found.sequences.data[0], minlength=len(q)) / 4000
    if p is None or min(edges) > 1e-5:
        assert (np.abs(share - q) <= 5 * np.sqrt(q * (1 - q) / 4000) + 1e-9).all()


def test_greedy_takes_the_likeliest_of_what_it_wrote_itself(model) -> None:
    start = np.array([[1, 2, 4], [0, 3, 3]])
    found = nn.generate(model, start, 6, temperature=0)
    np.testing.assert_array_equal(found.sequences.data, by_hand(model, start, 6))
    text = np.concatenate([start[-1:], found.sequences.data])
    _, state = model(start[:-1])
    np.testing.assert_allclose(
        found.log_probs.data, log_probs_of(model, text, state=state), rtol=1e-5, atol=1e-6
    )
    assert found.lengths.tolist() == [6, 6, 6]


def test_the_same_seed_gives_the_same_tokens_compiled_or_not(model) -> None:
    start = np.zeros((1, 4), int)
    found = []
    for again in range(3):
        tg.manual_seed(7)
        if again == 2:
            with tg.detect_anomaly():  # op by op
                found.append(nn.generate(model, start, 30, top_k=3).sequences.data)
        else:
            found.append(nn.generate(model, start, 30, top_k=3).sequences.data)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
    rng = np.random.default_rng(7)
    other = nn.generate(model, start, 30, top_k=3, generator=rng).sequences.data
    np.testing.assert_array_equal(found[0], other)


def test_all_steps_are_one_program_for_every_temperature(model) -> None:
    code = next(
        c for c in generation._step_of.__code__.co_consts if getattr(c, "co_name", "") == "step"
    )
    start = np.zeros((1, 2), int)
    nn.generate(model, start, 20, temperature=0.5, top_p=0.5)
    known = len(compiled_steps(code))
    assert known
    for heat in (0.6, 0.7, 0.8):
        nn.generate(model, start, 20, temperature=heat, top_p=heat)
    assert len(compiled_steps(code)) == known


# --- stopping


def test_a_row_ends_with_its_stop_and_its_state_stays(model) -> None:
    start = np.random.default_rng(0).integers(0, 5, (2, 6))
    tg.manual_seed(1)
    free = nn.generate(model, start, 60)
    tg.manual_seed(1)
    found = nn.generate(model, start, 60, stop=[2, 4], pad=9)
    stops = np.isin(free.sequences.data, [2, 4])
    lengths = stops.argmax(axis=0) + 1
    assert found.lengths.tolist() == lengths.tolist() and len(found.sequences) == lengths.max()
    for b, length in enumerate(lengths):
        own = found.sequences.data[:, b]
        np.testing.assert_array_equal(own[:length], free.sequences.data[:length, b])
        assert (own[length:] == 9).all() and (found.log_probs.data[length:, b] == 0).all()
        read = np.concatenate([start[:, b], own[: length - 1]])
        _, state = model(read[:, None])
        for one, other in zip(found.state, state, strict=True):
            np.testing.assert_allclose(one.data[:, b], other.data[:, 0], rtol=1e-5, atol=1e-6)


def test_stop_may_be_a_function_of_each_row(model) -> None:
    start = np.zeros((1, 8), int)
    tg.manual_seed(2)
    one = nn.generate(model, start, 20, stop=lambda x: x >= 3)
    tg.manual_seed(2)
    other = nn.generate(model, start, 20, stop=(3, 4))
    np.testing.assert_array_equal(one.sequences.data, other.sequences.data)
    with pytest.raises(
        TypeError, match=r"stop must say for each of 8 rows whether it ends, \(8,\)"
    ):
        nn.generate(model, start, 20, stop=lambda x: tg.any(x == 3))


def test_it_goes_on_from_its_state(model) -> None:
    start = np.array([[1, 2], [3, 0]])
    whole = nn.generate(model, start, 9, temperature=0)
    first = nn.generate(model, start, 4, temperature=0)
    rest = nn.generate(model, first.sequences[-1:], 5, temperature=0, state=first.state)
    both = np.concatenate([first.sequences.data, rest.sequences.data])
    np.testing.assert_array_equal(whole.sequences.data, both)


# --- layouts and further inputs


def test_without_a_batch_and_with_the_batch_first(model) -> None:
    start = np.array([[1, 2, 4], [0, 3, 3]])
    expected = nn.generate(model, start, 4, temperature=0)
    alone = nn.generate(model, [2, 3], 4, temperature=0, stop=99)
    np.testing.assert_array_equal(alone.sequences.data, expected.sequences.data[:, 1])
    assert alone.log_probs.shape == (4,) and alone.lengths == 4
    other = Language(batch_first=True)
    other.load_state_dict(model.state_dict())
    found = nn.generate(other, start.T, 4, temperature=0, batch_first=True)
    np.testing.assert_array_equal(found.sequences.data, expected.sequences.data.T)
    beams = nn.beam_search(other, start.T, 4, batch_first=True, beams=2)
    assert beams.sequences.shape == (3, 4, 2)
    assert nn.beam_search(model, [2, 3], 4, beams=2).sequences.shape == (4, 2)


def test_a_layer_a_cell_and_a_padded_start(model) -> None:
    start = np.array([[1, 2, 4], [0, 3, 3]])
    around = {"embed": model.embedding, "head": model.head, "temperature": 0}
    layer = nn.generate(model.lstm, start, 4, **around)
    np.testing.assert_array_equal(layer.sequences.data, by_hand(model, start, 4))
    cell = nn.GRUCell(3, 4)
    one = nn.generate(cell, start, 4, **around)
    other = nn.generate(nn.Recurrent(cell), start, 4, **around)
    np.testing.assert_array_equal(one.sequences.data, other.sequences.data)
    padded = nn.generate(model, start, 4, temperature=0, lengths=[2, 1, 2])
    short = nn.generate(model, start[:1], 4, temperature=0)
    np.testing.assert_array_equal(padded.sequences.data[:, 1], short.sequences.data[:, 1])
    np.testing.assert_array_equal(padded.sequences.data[:, 0], layer.sequences.data[:, 0])


class Told(nn.Cell):
    """Its output is told by a constant and by a further input of each step."""

    def __init__(self, input_size, hidden_size):
        self.input_size, self.hidden_size = input_size, hidden_size
        self.inner = nn.RNNCell(input_size, hidden_size)

    def forward(self, x, h, memory, dt):
        return self.inner(x, h + dt) + tg.mean(memory, axis=1)


def test_constants_and_inputs_of_each_step() -> None:
    tg.manual_seed(0)
    embedding, layer, head = nn.Embedding(5, 3), nn.Recurrent(Told(3, 4)), nn.Linear(4, 5)
    rng = np.random.default_rng(0)
    start, memory = rng.integers(0, 5, (2, 3)), rng.standard_normal((3, 7, 4)).astype("f4")
    dt = rng.random((6, 3, 1)).astype("f4")
    options = {"embed": embedding, "head": head, "constants": {"memory": memory}, "dt": dt}
    for how in ({"temperature": 0}, {"beams": 1}):
        found = nn.generate(layer, start, 5, **options, **how)
        text = np.concatenate([start, found.sequences.data])
        outputs, _ = layer(embedding(text[:-1]), dt=dt, constants={"memory": memory})
        expected = head(outputs).data.argmax(-1)
        np.testing.assert_array_equal(text[2:], expected[1:])
    with pytest.raises(ValueError, match=r"dt must be given for each step.*ends before step 8"):
        nn.generate(layer, start, 7, **options)
    alone = nn.generate(
        layer, start[:, 0], 5, temperature=0, embed=embedding, head=head, dt=dt[:, 0],
        constants={"memory": memory[0]},
    )  # fmt: skip
    both = nn.generate(layer, start, 5, temperature=0, **options)
    np.testing.assert_array_equal(alone.sequences.data, both.sequences.data[:, 0])


# --- beam search


def exhaustive(model, first: int, tokens: int, steps: int, stop, penalty: float):
    """The scores of all sequences, best first, with the sequences."""
    texts = set()
    for text in itertools.product(range(tokens), repeat=steps):
        ends = [k for k, token in enumerate(text) if token == stop]
        texts.add(text[: ends[0] + 1] if ends else text)
    found = []
    for length in range(1, steps + 1):
        some = [text for text in texts if len(text) == length]
        if some:
            whole = np.array([[first, *text] for text in some]).T
            totals = log_probs_of(model, whole).sum(axis=0, dtype="f8")
            found += zip(totals / length**penalty, some)
    return sorted(found, reverse=True)


@few
@given(
    st.sampled_from([(2, 1), (2, 4), (3, 3)]),
    st.sampled_from([None, 0, 1]),
    st.sampled_from([-0.5, 0.0, 0.7, 1.0, 2.0]),
    st.integers(0, 2**16),
)
def test_a_wide_beam_finds_what_an_exhaustive_search_does(sizes, stop, penalty, seed) -> None:
    tokens, steps = sizes
    model = a_model(tokens, seed)
    width = tokens**steps
    found = nn.beam_search(model, [[0, 1]], steps, beams=width, stop=stop, length_penalty=penalty)
    for row, first in enumerate([0, 1]):
        expected = exhaustive(model, first, tokens, steps, stop, penalty)
        scores = [score for score, _ in expected]
        np.testing.assert_allclose(found.scores[row, : len(scores)], scores, rtol=1e-4, atol=1e-5)
        assert (found.scores[row, len(scores) :] == -np.inf).all()
        best = found.sequences.data[: found.lengths[row, 0], row, 0]
        if len(scores) == 1 or scores[0] - scores[1] > 1e-4:
            assert tuple(best) == expected[0][1]


@few
@given(
    st.sampled_from([1, 2, 5]),
    st.integers(1, 12),
    st.sampled_from([None, 0, [1, 3]]),
    st.integers(0, 99),
)
def test_what_a_narrow_beam_finds_has_the_probability_it_says(beams, steps, stop, seed) -> None:
    model = a_model(5, seed)
    start = np.random.default_rng(seed).integers(0, 5, (2, 3))
    found = nn.beam_search(model, start, steps, beams=beams, stop=stop)
    assert (np.diff(found.scores, axis=1) <= 0).all()
    for row, beam in itertools.product(range(3), range(beams)):
        length = found.lengths[row, beam]
        if not length:
            continue
        text = np.concatenate([start[:, row], found.sequences.data[:length, row, beam]])
        total = log_probs_of(model, text[:, None])[1:].sum()
        assert abs(total - found.log_probs[row, beam]) < 1e-3
        assert abs(total / length - found.scores[row, beam]) < 1e-3
        ends = np.isin(text[2:], [] if stop is None else stop)
        assert ends[-1] or length == steps
        assert not ends[:-1].any()
    texts = {tuple(found.sequences.data[:, 0, k]) for k in range(beams) if found.lengths[0, k]}
    assert len(texts) == (found.lengths[0] > 0).sum()


def test_one_beam_is_greedy_and_generate_returns_the_best(model) -> None:
    start = np.array([[1, 2, 4]])
    one = nn.beam_search(model, start, 7, beams=1).sequences.data[..., 0]
    np.testing.assert_array_equal(one, nn.generate(model, start, 7, temperature=0).sequences.data)
    wide = nn.beam_search(model, start, 7, beams=5, stop=2)
    best = nn.generate(model, start, 7, beams=5, stop=2)
    np.testing.assert_array_equal(best.lengths, wide.lengths[:, 0])
    np.testing.assert_allclose(best.log_probs.data.sum(0), wide.log_probs[:, 0], rtol=1e-4)
    for b, length in enumerate(best.lengths):
        one = best.sequences.data[:length, b]
        np.testing.assert_array_equal(one, wide.sequences.data[:length, b, 0])


# --- gradients


def test_log_probs_have_the_gradient_of_what_was_chosen(model) -> None:
    start = np.array([[1, 2, 4], [0, 3, 3]])
    found = nn.generate(model, start, 5)
    parameters = [*model.parameters()]
    got = tg.grad(found.log_probs.sum(), parameters)
    text = np.concatenate([start, found.sequences.data])
    scores, _ = model(text[:-1])
    expected = -5 * 3 * nn.cross_entropy(scores[1:].reshape(-1, 5), text[2:].ravel())
    for one, other in zip(got, tg.grad(expected, parameters), strict=True):
        np.testing.assert_allclose(one.data, other.data, rtol=1e-3, atol=1e-5)


def test_a_sample_of_your_own_is_read_again_and_has_a_gradient() -> None:
    tg.manual_seed(0)
    layer, readout = nn.GRU(2, 6).astype("float64"), nn.Linear(6, 2).astype("float64")
    start = np.random.default_rng(0).standard_normal((3, 4, 2))

    def forecast():
        found = nn.generate(layer, start, 5, head=readout, sample=lambda output: tg.tanh(output))
        assert found.log_probs is None
        return found.sequences

    def loop():
        outputs, state = layer(start)
        xs = [tg.tanh(readout(outputs[-1]))]
        while len(xs) < 5:
            outputs, state = layer(xs[-1][None], state)
            xs.append(tg.tanh(readout(outputs[0])))
        return tg.stack(xs)

    parameters = [*layer.parameters(), *readout.parameters()]
    np.testing.assert_allclose(forecast().data, loop().data, rtol=1e-8)
    pairs = zip(*(tg.grad((f() ** 2).sum(), parameters) for f in (forecast, loop)), strict=True)
    for one, other in pairs:
        np.testing.assert_allclose(one.data, other.data, rtol=1e-6, atol=1e-9)
    ends = nn.generate(
        layer, start, 5, head=readout, sample=tg.tanh, stop=lambda x: tg.abs(x[:, 0]) >= 0
    )
    assert ends.lengths.tolist() == [1] * 4


# --- scheduled sampling


def test_with_a_teacher_alone_and_with_none(model) -> None:
    text = np.random.default_rng(0).integers(0, 5, (7, 3))
    forced, state = nn.scheduled_sampling(model, text, 1.0)
    expected, last = model(text)
    np.testing.assert_allclose(forced.data, expected.data, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(state[0].data, last[0].data, rtol=1e-5, atol=1e-6)
    free, _ = nn.scheduled_sampling(model, text, 0.0, temperature=0)
    own = nn.generate(model, text[:1], 7, temperature=0)
    np.testing.assert_array_equal(free.data.argmax(-1), own.sequences.data)


def test_each_row_and_step_has_its_own_coin() -> None:
    """A model that shows what it read, and chooses 1 always, where the teacher says 0 always."""

    def model(x, state):
        x = tg.one_hot(x, 2)
        return tg.concatenate([1.0 * x, x * 0.0 + 5.0], axis=-1)[..., :3], None

    def choose(output):
        return tg.argmax(output, axis=-1) // 2

    for share in (0.2, 0.7):
        read, _ = nn.scheduled_sampling(model, np.zeros((40, 50), int), share, sample=choose)
        by_teacher = read.data[1:, :, 0]
        assert abs(by_teacher.mean() - share) < 0.05
        assert 0.02 < by_teacher.mean(axis=0).std() < 0.2 and by_teacher.mean(axis=1).std() < 0.2


def test_it_trains_in_the_place_of_the_model(model) -> None:
    text = np.random.default_rng(0).integers(0, 5, (7, 3))
    for teacher in (0.9, 0.5, 0.0):
        scores, _ = nn.scheduled_sampling(model, text[:-1], teacher)
        nn.cross_entropy(scores.reshape(-1, 5), text[1:].ravel()).backward()
    assert all(p.grad is not None for p in model.parameters())


# --- what is refused


@pytest.mark.parametrize(
    ("options", "kind", "says"),
    [
        ({"steps": 0}, ValueError, "steps, how many are generated"),
        ({"temperature": -1}, ValueError, "temperature is at least 0"),
        ({"top_k": 0}, ValueError, "top_k, how many tokens are left"),
        ({"top_p": 0.0}, ValueError, "top_p is a probability above 0"),
        ({"beams": 0}, ValueError, "beams, how many sequences are kept"),
        ({"beams": 2, "top_k": 3}, TypeError, "beams takes the place of temperature"),
        ({"sample": tg.tanh, "top_k": 3}, TypeError, "sample takes the place of temperature"),
        ({"stop": "end"}, TypeError, "stop is a token, several tokens, or a function"),
        ({"start": np.zeros((0, 2), int)}, ValueError, "it takes at least one step to read"),
        ({"model": lambda x, s: x}, TypeError, r"called as model\(x, state\) and returns"),
        (
            {"model": lambda x, s: (tg.one_hot(x, 4) * 1.0, s), "sample": lambda output: output},
            TypeError,
            r"is what the model reads at the next, like a step of start, int64\[2\]",
        ),
        ({"model": lambda x, s: (x, s)}, TypeError, "tokens are chosen by their scores"),
        ({"lengths": [1, 1], "dt": np.zeros((9, 2))}, TypeError, "with lengths of the start"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(model, options, kind, says) -> None:
    given = {"model": model, "start": np.zeros((1, 2), int), "steps": 3, **options}
    with pytest.raises(kind, match=says):
        nn.generate(given.pop("model"), given.pop("start"), given.pop("steps"), **given)


def test_a_teacher_is_a_probability(model) -> None:
    with pytest.raises(ValueError, match="teacher is a probability"):
        nn.scheduled_sampling(model, [[0]], 1.5)
