"""LoQT's steps of two matrices in double precision, by NumPy's singular values and pseudo-inverses, and SciPy's normal quantiles."""
import json
import numpy as np
from scipy.stats import norm

EVERY, GROWTH, SCALE, RANK, ROUNDS, BLOCK, RATE, BETA2, EPS = 2, 1.5, 0.4, 2, 3, 8, 0.05, 0.999, 1e-6


def levels():
    """QLoRA, appendix E: quantiles of the normal distribution from an offset to a half, eight above 0 and seven below."""
    offset = 0.9677083
    up = norm.ppf(np.linspace(offset, 0.5, 9)[:-1])
    down = -norm.ppf(np.linspace(offset, 0.5, 8)[:-1])
    every = np.sort(np.concatenate([up, [0], down]))
    return every / every.max()


LEVELS = levels()


def rounded(w):
    flat = w.T.reshape(-1).copy()
    for at in range(0, flat.size, BLOCK):
        part = flat[at : at + BLOCK]
        most = np.abs(part).max()
        part[:] = LEVELS[np.abs(part[:, None] / most - LEVELS).argmin(1)] * most
    return flat.reshape(w.T.shape).T


def trained(w, gradients):
    right = w.shape[0] >= w.shape[1]
    p = b = square = None
    taken = merges = following = 0
    path = []
    for g in gradients:
        if taken == following:
            u, _, vt = np.linalg.svd(g, full_matrices=False)
            p = vt[:RANK].T if right else u[:, :RANK]
            back = lambda low: SCALE * (low @ p.T if right else p @ low)
            low, best = None, None
            for _ in range(ROUNDS):
                q = rounded(w if low is None else w - back(low))
                rest = w - q
                low = (rest @ np.linalg.pinv(p).T if right else np.linalg.pinv(p) @ rest) / SCALE
                lost = np.linalg.norm(w - q - back(low))
                if best is None or lost < best[0]:
                    best = (lost, q, low)
            _, q, b = best
            square = np.zeros_like(b) if square is None else square
            following += EVERY + (int(GROWTH**merges) if merges > 0 else 0)
            merges += 1
        else:
            slope = SCALE * (g @ p if right else p.T @ g)
            square = BETA2 * square + (1 - BETA2) * slope**2
            count = taken + 1 - merges
            size = np.sqrt(1 - BETA2**count)
            b = b - RATE * size * slope / (np.sqrt(square) + EPS)
        w = q + SCALE * (b @ p.T if right else p @ b)
        taken += 1
        path.append(w.reshape(-1).tolist())
    return path, merges


random = np.random.default_rng(3)
cases = []
for shape in [(6, 4), (3, 5)]:
    w = random.normal(size=shape)
    gradients = []
    for _ in range(9):
        u, _ = np.linalg.qr(random.normal(size=(shape[0], min(shape))))
        v, _ = np.linalg.qr(random.normal(size=(shape[1], min(shape))))
        sizes = [3, 1, 0.2, 0.1][: min(shape)]
        gradients.append((u * sizes) @ v.T)
    path, merges = trained(w, gradients)
    cases.append(
        {"shape": shape, "start": w.reshape(-1).tolist(), "gradients": [g.reshape(-1).tolist() for g in gradients], "path": path, "merges": merges}
    )
options = {
    "lr": RATE, "rank": RANK, "scale": SCALE, "every": EVERY, "growth": GROWTH, "compensate": ROUNDS, "block": BLOCK, "roundBasis": False,
    "rounds": 30, "beta1": 0, "beta2": BETA2, "epsilon": EPS,
}
with open(__file__.replace(".py", ".json"), "w") as out:
    json.dump({"levels": LEVELS.tolist(), "options": options, "cases": cases}, out)
    out.write("\n")
