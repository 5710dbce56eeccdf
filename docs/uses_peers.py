"""The data of the examples given to models of other libraries, on the same splits.

    python docs/uses_peers.py genes           or handwriting, speech, sentences, sensor, stocks,
                                              captions

Needs scikit-learn and, for handwriting, PyTorch.
"""

from __future__ import annotations

import bz2
import lzma
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))

SEEDS = 3


def row(name: str, *figures: str) -> None:
    """Print a row of a table."""
    print(f"{name:32}" + "".join(f"{figure:16}" for figure in figures).rstrip(), flush=True)


def spread(values: list[float], digits: int = 1) -> str:
    """Mean and standard deviation over the seeds."""
    return f"{np.mean(values):.{digits}f} ± {np.std(values, ddof=1):.{digits}f}"


def sentences() -> None:
    """What a compressor that has read the text needs for the rest of it."""
    from sentences import HELD_OUT, LEARNT

    learnt, held_out = LEARNT.encode(), HELD_OUT.encode()
    for name, compress in (("lzma", lzma.compress), ("bz2", bz2.compress)):
        size = len(compress(learnt + held_out)) - len(compress(learnt))
        row(f"{name} (learns as it goes)", f"{8 * size / len(held_out):.3f}")


def genes() -> None:
    """A feed-forward network that is given each base at its place."""
    import genes
    from sklearn.neural_network import MLPClassifier

    from tinygrad_rnn.data import stratified_folds

    x, y = genes.load()
    flat = x.reshape(len(x), -1)
    rows = []
    for seed in range(SEEDS):
        chosen = np.random.default_rng(seed).permutation(len(y))[:1000]
        wrong = np.zeros(1000)
        for learnt, held_out in stratified_folds(y[chosen], folds=10, seed=seed):
            model = MLPClassifier(24, random_state=seed)
            model.fit(flat[chosen[learnt]], y[chosen[learnt]])
            wrong[held_out] = model.predict(flat[chosen[held_out]]) != y[chosen[held_out]]
        rows.append([100 * wrong[y[chosen] == c].mean() for c in range(3)] + [100 * wrong.mean()])
    row("scikit-learn MLPClassifier", *(spread(list(column)) for column in zip(*rows)))


def handwriting() -> None:
    """Nearest neighbour, a feed-forward network on all points, and PyTorch's LSTM."""
    import handwriting
    import torch
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.neural_network import MLPClassifier

    (x, y), (x_new, y_new) = handwriting.load(False), handwriting.load(True)
    flat, flat_new = x.reshape(len(x), -1), x_new.reshape(len(x_new), -1)
    nearest = KNeighborsClassifier(1).fit(flat, y).score(flat_new, y_new)
    row("scikit-learn 1-NN", f"{100 * nearest:.2f}")
    networks = [MLPClassifier(64, random_state=s, max_iter=300).fit(flat, y) for s in range(SEEDS)]
    scores = [100 * network.score(flat_new, y_new) for network in networks]
    row("scikit-learn MLPClassifier", spread(scores, 2))
    found = []
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        lstm, readout = torch.nn.LSTM(2, 64), torch.nn.Linear(64, 10)
        adam = torch.optim.Adam([*lstm.parameters(), *readout.parameters()], lr=0.01)
        steps = 12 * -(-len(x) // 64)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, T_max=steps)
        points, digits = torch.from_numpy(x.swapaxes(0, 1).copy()), torch.from_numpy(y)
        for _ in range(12):
            for part in torch.randperm(len(x)).split(64):
                loss = torch.nn.functional.cross_entropy(
                    readout(lstm(points[:, part])[0][-1]), digits[part]
                )
                adam.zero_grad()
                loss.backward()
                adam.step()
                schedule.step()
        with torch.no_grad():
            scores = readout(lstm(torch.from_numpy(x_new.swapaxes(0, 1).copy()))[0][-1])
        found.append(100 * float((scores.argmax(-1).numpy() == y_new).mean()))
    row("PyTorch LSTM, trained alike", spread(found, 2))


def speech() -> None:
    """Support vectors on the means of whole recordings, and of their thirds, in order."""
    import speech
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    recordings, digits, voices = speech.load()

    def moments(parts: list[np.ndarray]) -> np.ndarray:
        return np.concatenate([f(part, axis=0) for part in parts for f in (np.mean, np.std)])

    whole = np.array([moments([r]) for r in recordings])
    thirds = np.array([moments(np.array_split(r, 3)) for r in recordings])
    for name, x in (("without order", whole), ("in thirds", thirds)):
        found = []
        for seed in range(SEEDS):
            learnt, held_out = speech.split(voices, seed)
            model = make_pipeline(StandardScaler(), SVC(C=10)).fit(x[learnt], digits[learnt])
            found.append(100 * model.score(x[held_out], digits[held_out]))
        row(f"scikit-learn SVC, {name}", spread(found))


def sensor() -> None:
    """Trees on the window, for each step ahead, told the change, as the networks are; and for CO2
    a linear autoregression on differences from the year before."""
    from types import SimpleNamespace

    import sensor
    from sklearn.ensemble import ExtraTreesRegressor

    for series in (sensor.co2(), sensor.weather()):
        (old,), (new,) = sensor.split(series, 10**6)
        (x, last), (x_new, last_new) = (
            (b.inputs.swapaxes(0, 1).reshape(b.inputs.shape[1], -1), b.inputs[-1, :, 0])
            for b in (old, new)
        )
        x, x_new = (np.hstack([a, a - b[:, None]]) for a, b in ((x, last), (x_new, last_new)))
        model = ExtraTreesRegressor(min_samples_leaf=3, max_features=0.3, random_state=0)
        model.fit(x, (old.targets[..., 0] - last).T.squeeze())
        told = model.predict(x_new).reshape(len(x_new), -1).T
        error = np.mean((last_new + told - new.targets[..., 0]) ** 2) ** 0.5
        row(f"scikit-learn trees: {series.unit}", f"{series.scale * error:.3f}")
    co2 = sensor.co2()
    value = co2.values[:, :1]
    columns = [value[52:] - value[:-52], np.diff(value[51:], axis=0)]
    seasonal = SimpleNamespace(**{**vars(co2), "values": np.hstack(columns)})
    error = sensor.simple(seasonal)[0]["linear autoregression"]
    row("seasonal autoregression: CO2", f"{error:.3f}")


def stocks() -> None:
    """Logistic regression and trees: is tomorrow up?"""
    import stocks
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.linear_model import LogisticRegression

    from tinygrad_rnn.data import walk_forward

    returns, after, when, _ = stocks.load()
    for name, model in (
        ("scikit-learn LogisticRegression", LogisticRegression(max_iter=1000)),
        ("scikit-learn trees", ExtraTreesClassifier(min_samples_leaf=20, random_state=0)),
    ):
        right = []
        for past, future in walk_forward(when.max() + 1, 3):
            learnt, held_out = np.isin(when, past), np.isin(when, future)
            told = model.fit(returns[learnt], after[learnt] > 0).predict(returns[held_out])
            right.append(told == (after[held_out] > 0))
        row(name, "", f"{100 * np.concatenate(right).mean():.2f}")


def captions() -> None:
    """The caption of the nearest picture, and which words a picture has, each by itself."""
    import captions
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.neural_network import MLPClassifier
    from sklearn.preprocessing import MultiLabelBinarizer

    flat = captions.PICTURES.reshape(len(captions.PICTURES), -1)
    names = [caption.split() for caption in captions.CAPTIONS]
    is_said = MultiLabelBinarizer().fit_transform(names)
    nearest, each = [], []
    for seed in range(SEEDS):
        order = np.random.default_rng(seed).permutation(len(flat))
        held_out, learnt = np.split(order, [captions.HELD_OUT])
        model = KNeighborsClassifier(1).fit(flat[learnt], learnt)
        pairs = zip(held_out, model.predict(flat[held_out]))
        words = [word in names[told] for true, told in pairs for word in names[true]]
        nearest.append(100 * np.mean(words))
        network = MLPClassifier(96, random_state=seed).fit(flat[learnt], is_said[learnt])
        told = network.predict(flat[held_out])
        each.append([100 * told[is_said[held_out] == 1].mean(),
                     100 * (told == is_said[held_out]).all(axis=1).mean()])  # fmt: skip
    row("scikit-learn 1-NN", "0.0", spread(nearest))
    by_word, whole = zip(*each)
    row("scikit-learn MLP, set of words", spread(list(whole)), spread(list(by_word)))


if __name__ == "__main__":
    globals()[sys.argv[1]]()
