import numpy as np
import pytest
from fastnn.reference import metrics
from fastnn.reference.activations import sigmoid, softmax
from fastnn.reference.losses import LOSSES

from tests import tolerance
from tests.reference.differences import numeric_gradient

SETTINGS = {"huber": {"delta": 0.8}}


def example(name, random, n=6, k=4):
    p = random.normal(size=(n, k))
    if name == "categorical_crossentropy":
        return p, random.integers(0, k, n)
    y = random.normal(size=(n, k))
    return p, (y > 0).astype(float) if name == "binary_crossentropy" else y


@pytest.mark.parametrize("name", LOSSES)
def test_gradient_equals_central_differences(name, random):
    loss, settings = LOSSES[name], SETTINGS.get(name, {})
    p, y = example(name, random)
    expected = numeric_gradient(lambda: float(loss.value(p, y, **settings).sum()), p)
    assert tolerance.close(loss.gradient(p, y, **settings), expected, tolerance.DIFFERENCES)


@pytest.mark.peer
@pytest.mark.parametrize("name", LOSSES)
def test_loss_equals_torch(name, random):
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    p, y = example(name, random)
    peer = {
        "mean_squared_error": functional.mse_loss,
        "mean_absolute_error": functional.l1_loss,
        "huber": lambda p, y: functional.huber_loss(p, y, delta=0.8),
        "binary_crossentropy": functional.binary_cross_entropy_with_logits,
        "categorical_crossentropy": functional.cross_entropy,
    }[name]
    expected = float(peer(torch.tensor(p), torch.tensor(y)))
    value = LOSSES[name].value(p, y, **SETTINGS.get(name, {})).mean()
    assert value == pytest.approx(expected, rel=tolerance.SAME_FORMULA)


def test_losses_equal_those_of_sklearn(random):
    from sklearn.metrics import log_loss, mean_absolute_error, mean_squared_error

    p, y = example("mean_squared_error", random)
    z, labels = example("categorical_crossentropy", random)
    b, hits = example("binary_crossentropy", random, k=1)
    found = [LOSSES["mean_squared_error"].value(p, y).mean()]
    found.append(LOSSES["mean_absolute_error"].value(p, y).mean())
    found.append(LOSSES["categorical_crossentropy"].value(z, labels).mean())
    found.append(LOSSES["binary_crossentropy"].value(b, hits).mean())
    expected = [mean_squared_error(y, p), mean_absolute_error(y, p)]
    expected.append(log_loss(labels, softmax(z), labels=range(4)))
    expected.append(log_loss(hits, sigmoid(b)))
    assert found == pytest.approx(expected, rel=tolerance.SAME_FORMULA)


def test_crossentropies_of_sure_predictions_stay_exact():
    z = np.array([[800.0], [-800.0]])
    wrong, right = np.array([[0.0], [1.0]]), np.array([[1.0], [0.0]])
    assert LOSSES["binary_crossentropy"].value(z, wrong).tolist() == [800, 800]
    assert LOSSES["binary_crossentropy"].value(z, right).tolist() == [0, 0]
    logits = np.array([[800.0, -800.0]])
    assert LOSSES["categorical_crossentropy"].value(logits, np.array([1])).tolist() == [1600]


def test_huber_meets_itself_at_delta():
    value = LOSSES["huber"].value(np.array([[2.0], [3.0]]), np.zeros((2, 1)), delta=2.0)
    assert value.tolist() == [2.0, 4.0]


def test_accuracy_equals_sklearns(random):
    from sklearn.metrics import accuracy_score

    p, labels = random.normal(size=(50, 3)), random.integers(0, 3, 50)
    hits = (random.normal(size=(50, 3)) > 0).astype(float)
    assert metrics.accuracy(p, labels).mean() == accuracy_score(labels, p.argmax(1))
    binary = metrics.accuracy(sigmoid(p), hits).mean()
    assert binary == pytest.approx(accuracy_score(hits.ravel(), (p > 0).ravel()))
    assert metrics.accuracy(p, hits, threshold=0.0).mean() == pytest.approx(binary)
