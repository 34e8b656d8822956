"""Import numpy and scipy's compiled parts with every warning recorded, and solve one system with both."""

from __future__ import annotations

import json
import warnings

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import numpy as np
    import scipy
    import scipy.linalg
    import scipy.signal
    import scipy.sparse.linalg
    import scipy.special

random = np.random.RandomState(0)
matrix = random.standard_normal((6, 6)) + 6 * np.eye(6)
right = random.standard_normal(6)
ours, theirs = scipy.linalg.solve(matrix, right), np.linalg.solve(matrix, right)
print(
    json.dumps(
        {
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "warnings": [f"{one.category.__name__}: {one.message}" for one in caught],
            "solve_difference": float(abs(ours - theirs).max()),
            "solve_residual": float(abs(matrix @ ours - right).max()),
            "gamma_of_5": float(scipy.special.gamma(5.0)),
        }
    )
)
