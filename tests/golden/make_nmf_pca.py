"""Makes nmf_pca.json: what scikit-learn makes of a small matrix, to compare our baselines with.

    pip install numpy scikit-learn && python tests/golden/make_nmf_pca.py

Rows have both signs; NMF gets them split into [max(x, 0), max(-x, 0)], as ours splits them.
"""

import json
import pathlib

import numpy as np
import sklearn
from sklearn.decomposition import NMF, PCA

ROWS, WIDTH, RANK = 60, 4, 5

rng = np.random.default_rng(7)
spread = np.diag([3.0, 2.0, 1.0, 0.5])
turned = np.linalg.qr(rng.standard_normal((WIDTH, WIDTH)))[0]
rows = rng.standard_normal((ROWS, WIDTH)) @ spread @ turned
rows = (rows - rows.mean(0)).round(6)
rows -= rows.mean(0)
split = np.hstack([np.maximum(rows, 0), np.maximum(-rows, 0)])
first_w = np.abs(rng.standard_normal((ROWS, RANK))).round(6)
first_h = np.abs(rng.standard_normal((RANK, 2 * WIDTH))).round(6)


def factorize(rounds, tolerance):
    model = NMF(RANK, init="custom", solver="mu", max_iter=rounds, tol=tolerance)
    w = model.fit_transform(split, W=first_w.copy(), H=first_h.copy())
    return model, w


model, w = factorize(40, 0)
stopped, _ = factorize(500, 2e-3)
pca = PCA(WIDTH).fit(rows)
golden = {
    "made_by": f"tests/golden/make_nmf_pca.py, scikit-learn {sklearn.__version__}",
    "rows": rows.round(8).tolist(),
    "nmf": {
        "first_w": first_w.tolist(),
        "first_h": first_h.tolist(),
        "w": w.round(7).tolist(),
        "h": model.components_.round(7).tolist(),
        "error": float(model.reconstruction_err_),
        "rounds_at_tolerance": int(stopped.n_iter_),
    },
    "pca": {
        "components": pca.components_.round(7).tolist(),
        "explained_variance": pca.explained_variance_.round(7).tolist(),
    },
}
path = pathlib.Path(__file__).with_name("nmf_pca.json")
path.write_text(json.dumps(golden) + "\n")
print(path, "error", golden["nmf"]["error"], "rounds", golden["nmf"]["rounds_at_tolerance"])
