from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.graph import Graph


def unrolled(steps=3, name="h"):
    w = tg.tensor([[0.5]], requires_grad=True).named("W")
    h = tg.zeros((1, 1))
    for t in range(steps):
        with tg.scope("cell", step=t):
            h = tg.tanh(h @ w).named(name)
    return h.sum(), w


def test_inputs_come_before_what_is_made_from_them():
    loss, _ = unrolled()
    graph = Graph.of(loss)
    assert all(i < node.index for node in graph for i in node.inputs)
    assert [node.index for node in graph] == list(range(len(graph)))


def test_the_graph_computes_what_was_recorded():
    loss, _ = unrolled()
    graph = Graph.of(loss)
    values: list = []
    for node in graph:
        if node.op is None:
            values.append(node.value)
        else:
            inputs = [values[i] for i in node.inputs]
            values.append(node.op.value(*inputs, **node.attributes))
    np.testing.assert_array_equal(values[graph.outputs[0]], loss.data)


def test_nodes_know_op_shape_dtype_place_time_and_name():
    loss, w = unrolled()
    graph = Graph.of(loss)
    last = [node for node in graph if node.label == "tanh"][-1]
    assert (last.path, last.step, last.name, last.shape) == ("cell", 2, "h", (1, 1))
    assert last.dtype == np.float32
    (parameter,) = graph.of_kind("parameter")
    assert parameter.source is w and parameter.label == "W"
    assert graph.steps == [0, 1, 2]


def test_a_leaf_listed_as_input_is_no_parameter():
    x = tg.tensor([1.0], requires_grad=True)
    assert Graph.of(tg.tanh(x)).of_kind("parameter")
    assert Graph.of(tg.tanh(x), inputs=[x]).of_kind("input")


def test_numbers_and_arrays_are_constants_and_an_array_is_one_node():
    x = tg.tensor([1.0], requires_grad=True)
    a = np.ones(1, np.float32)
    graph = Graph.of(x * a + a - 2.0)
    assert [node.value for node in graph.of_kind("constant")] == [a, 2.0]


def test_consumers_invert_inputs():
    graph = Graph.of(unrolled()[0])
    for node in graph:
        for position, i in enumerate(node.inputs):
            assert (node.index, position) in graph.consumers[i]
    assert sum(map(len, graph.consumers)) == sum(len(node.inputs) for node in graph)


def test_outputs_of_an_op_with_several_are_nodes():
    x = tg.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    first, second = tg.split(x, 2)
    graph = Graph.of(first * second)
    whole = next(node for node in graph if node.has_several_outputs)
    assert whole.label == "split" and whole.shape is None
    picked = [node for node in graph if node.selects is not None]
    assert [(node.selects, node.inputs) for node in picked] == [
        (0, (whole.index,)),
        (1, (whole.index,)),
    ]
    assert "split" in str(graph)


def test_a_freed_history_is_an_error_that_says_what_to_do():
    loss, _ = unrolled()
    graph = Graph.of(loss)
    loss.backward()
    with pytest.raises(tg.GraphFreedError, match="retain_graph=True"):
        Graph.of(loss)
    assert len(graph.of_kind("op")) == 7  # one taken before stays whole


def test_what_is_no_tensor_is_refused():
    with pytest.raises(TypeError, match="ndarray"):
        Graph.of(np.ones(2))


def test_a_very_long_chain_is_walked_printed_and_freed():
    y = tg.tensor([1.0], requires_grad=True)
    for _ in range(200_000):
        y = -y
    graph = Graph.of(y)
    assert len(graph) == 200_001
    assert len(str(graph).splitlines()) < 50 and "more" in str(graph)
    del y, graph
