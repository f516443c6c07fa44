"""The value of the game behind `robustDraw`, as a linear program over all choices of mistakes: python robust-draw.py > robust-draw.json"""
import itertools
import json

import numpy as np
from scipy.optimize import linprog

rng = np.random.default_rng(3)
games = []
for n, mistakes in [(4, 1), (6, 2), (7, 2), (7, 3), (8, 0)]:
    gains = np.round(rng.uniform(0.05, 1, n), 3)
    wrong = list(itertools.combinations(range(n), mistakes))
    # maximise v with Σ_{i right} q_i g_i ≥ v for every set of wrong ones, Σ q = 1
    rows = [[-(0 if i in own else gains[i]) for i in range(n)] + [1] for own in wrong]
    found = linprog(
        [0] * n + [-1],
        A_ub=rows,
        b_ub=[0] * len(rows),
        A_eq=[[1] * n + [0]],
        b_eq=[1],
        bounds=[(0, None)] * n + [(None, None)],
    )
    games.append({"gains": gains.tolist(), "mistakes": mistakes, "value": -found.fun})
print(json.dumps(games, indent=1))
