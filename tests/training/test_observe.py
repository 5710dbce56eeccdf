"""The callback that records gates and gradients at every time step."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, viz
from tinygrad_rnn.data import PaddedBatches
from tinygrad_rnn.training import Observe, fit

WORDS = [[1, 2, 1], [2], [2, 1], [1, 1, 2, 2, 1]]


class Net(nn.Module):
    def __init__(self):
        self.embedding = nn.Embedding(3, 4)
        self.lstm = nn.LSTM(4, 5)

    def forward(self, batch):
        return self.lstm(self.embedding(batch.inputs), lengths=batch.lengths)


def loss(model, batch):
    return tg.square(model(batch)[1][0]).sum()


def trained(callbacks, epochs=3, batch_size=2, **options):
    tg.manual_seed(1)
    model = Net()
    data = PaddedBatches(WORDS, [0, 0, 0, 0], batch_size=batch_size, generator=0)
    optimizer = tg.optim.SGD(model.parameters(), lr=0.1)
    options = {"optimizer": optimizer, "callbacks": callbacks, "progress": False, **options}
    return model, fit(model, loss, data, epochs=epochs, **options)


def test_what_is_recorded_is_what_observing_shows():
    record = Observe()
    trained([record], epochs=1, batch_size=4)
    tg.manual_seed(1)
    same = Net()
    (batch,) = PaddedBatches(WORDS, [0, 0, 0, 0], batch_size=4, generator=0)
    with tg.observe(same) as seen:
        loss(same, batch).backward()
    assert list(record.means) == list(record.norms) == list(seen)
    for key, value in seen.items():
        for t in range(5):
            real = value.data[t][t < np.asarray(batch.lengths)]
            assert record.means[key][0, t] == pytest.approx(real.mean(), rel=1e-5)
            expected = np.linalg.norm(value.grad.data[t])
            assert record.norms[key][0, t] == pytest.approx(expected, rel=1e-5)


def test_the_training_is_the_same_and_only_some_steps_are_recorded():
    record = Observe(["forget gate", "c"], every=4)
    model, history = trained([record])
    plain, expected = trained([])
    assert record.steps == [1, 5]  # of six
    assert set(record.means) == {"lstm.l0: forget gate", "lstm.l0: c"}
    assert history["train_loss"] == pytest.approx(expected["train_loss"], rel=1e-6)
    for one, other in zip(model.parameters(), plain.parameters()):
        np.testing.assert_allclose(one.data, other.data, rtol=1e-5, atol=1e-7)


def test_shorter_batches_are_nan_beyond_their_end():
    record = Observe(["h"])
    trained([record], epochs=2)
    means = record.means["lstm.l0: h"]
    assert means.shape == (4, 5)
    ends = np.isfinite(means).sum(axis=1)
    assert ends.max() == 5 and ends.min() < 5
    assert all(np.isfinite(row[:end]).all() for row, end in zip(means, ends))


def test_records_are_kept_in_a_checkpoint(tmp_path):
    record, resumed = Observe(["h"]), Observe(["h"])
    trained([record], epochs=3, run=tmp_path / "whole")
    trained([Observe(["h"])], epochs=1, run=tmp_path / "parts")
    trained([resumed], epochs=3, run=tg.training.Run(tmp_path / "parts", resume=True))
    assert resumed.steps == record.steps == [1, 2, 3, 4, 5, 6]
    for key, norms in record.norms.items():
        np.testing.assert_array_equal(resumed.norms[key], norms)
    assert resumed.flow().keys() == record.flow().keys()


def test_the_flow_is_drawn():
    record = Observe()
    trained([record])
    flow = record.flow()
    assert list(flow) == ["step 1", "step 6"]
    assert set(flow["step 1"]["lstm.l0"]) == {"h", "c"}
    assert "step 6" in viz.plot_gradient_flow(flow).svg()
    with pytest.raises(ValueError, match="step 7 was not recorded"):
        record.flow([7])


def test_a_layer_that_is_called_twice_and_wrong_use():
    layer, record = nn.RNN(2, 3), Observe(["h"])
    fit(
        layer,
        lambda model, x: tg.square(model(model(x)[0][..., :2])[0]).sum(),
        [tg.randn(3, 1, 2)],
        epochs=1,
        optimizer=tg.optim.SGD(layer.parameters()),
        callbacks=[record],
        progress=False,
    )
    assert list(record.means) == ["l0: h", "l0: h#2"]
    with pytest.raises(ValueError, match="at least 1"):
        Observe(every=0)
    with pytest.raises(TypeError, match="a list of names"):
        Observe("h")
    with pytest.raises(ValueError, match="nothing is named 'forget'"):
        trained([Observe(["forget"])])
