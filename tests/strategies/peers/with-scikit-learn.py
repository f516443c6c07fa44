"""Fits closed forms with scikit-learn and NumPy and writes what they say: python with-scikit-learn.py [projection] (scikit-learn 1.9.1).

Data: load_digits divided by 16, the first 1437 to learn from, the other 360 to judge. `projection` is peers.test.ts's own random matrix,
64 x 16 numbers in base64, so that methods with a random layer have the same one; without it that of the file is used again.
"""
import base64, json, os, sys
import numpy as np
import sklearn
from sklearn.covariance import EmpiricalCovariance
from sklearn.datasets import load_digits
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.neighbors import NearestCentroid

pixels, digits = load_digits(return_X_y=True)
x, y, test, truth = pixels[:1437] / 16, digits[:1437], pixels[1437:] / 16, digits[1437:]
wanted = np.eye(10)[y]
file = os.path.join(os.path.dirname(os.path.abspath(__file__)), "scikit-learn.json")
text = sys.argv[1] if len(sys.argv) > 1 else json.load(open(file))["projection"]
projection = np.frombuffer(base64.b64decode(text), "<f4").reshape(64, 16).astype(float)


class Shrunk(EmpiricalCovariance):
    """(1 - s) S + s I."""

    def fit(self, X, y=None):
        super().fit(X)
        self.covariance_ = 0.99 * self.covariance_ + 0.01 * np.eye(X.shape[1])
        return self


def nearest():
    model = NearestCentroid().fit(x, y)
    assert (model.predict(test) == np.argmin(((test[:, None] - model.centroids_) ** 2).sum(-1), 1)).all()
    return -((test[:, None] - model.centroids_) ** 2).sum(-1)


def discriminant():
    model = LinearDiscriminantAnalysis(solver="lsqr", covariance_estimator=Shrunk()).fit(x, y)
    return model.decision_function(test) - np.log(model.priors_)


def ridge(features, alpha, told):
    model = Ridge(alpha=alpha, fit_intercept=False, solver="cholesky").fit(features, wanted)
    return model.predict(told)


def classifier(alpha):
    model = RidgeClassifier(alpha=alpha, solver="cholesky").fit(x, y)
    # its targets are -1 and 1
    return (model.decision_function(test) + 1) / 2


def ones(v):
    return np.hstack([v, np.ones((len(v), 1))])


def unit(v):
    return v / np.linalg.norm(v, axis=-1, keepdims=True)


def mahalanobis():
    scores = []
    for c in range(10):
        own, mean = x[y == c] ** 0.5, x[y == c].mean(0) ** 0.5
        cov = np.cov(own.T)
        off = ~np.eye(64, dtype=bool)
        cov = cov + np.where(off, cov[off].mean(), np.diag(cov).mean() + 1e-8)
        d = np.sqrt(np.diag(cov))
        precision = np.linalg.inv(cov / np.outer(d, d) + 1e-6 * np.eye(64))
        apart = unit(test**0.5) - unit(mean)
        scores.append(-np.einsum("ni,ij,nj->n", apart, precision, apart))
    return np.stack(scores, 1)


relu = lambda v: np.maximum(v @ projection, 0)
scores = {
    "nearestMean": nearest(),
    "slda": discriminant(),
    "fecam": mahalanobis(),
    "acil": ridge(relu(x), 0.5, relu(test)),
    "ridge": classifier(1.0),
    "kalman": ridge(ones(x), 0.3**2 / 2.0**2, ones(test)),
}
out = {
    name: {"said": "".join(map(str, s.argmax(1))), "right": int((s.argmax(1) == truth).sum()), "scores": [[float(f"{v:.7g}") for v in row] for row in s[:8]]}
    for name, s in scores.items()
}
json.dump({"made with": f"scikit-learn {sklearn.__version__}, NumPy {np.__version__}", "projection": text, "methods": out}, open(file, "w"))
print({name: o["right"] for name, o in out.items()})
