"""Principal components of activations: scikit-learn with the covariance matrix, its fastest solver here."""

import numpy
import sklearn
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

from timing import arguments, report

a = arguments(rows=100_000, width=128)
random = numpy.random.default_rng(0)
rows = random.standard_normal((a.rows, a.width), dtype="f4")


def fit():
    PCA(a.width, svd_solver="covariance_eigh").fit(rows)


with threadpool_limits(a.threads):
    report(f"scikit-learn {sklearn.__version__}", fit, a.seconds, warm_up=1, least=3)
