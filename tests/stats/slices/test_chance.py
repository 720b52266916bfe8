"""The bound of the chance of a mean error: by hand for errors of two sizes, and as its definition has it."""

import numpy as np
import pytest
from scipy import optimize, special

from mlflow_eval_plugin.stats.counts.slice import ONE
from mlflow_eval_plugin.stats.slices.chance import SPECTRUM_BINS, Spectrum, chance_of_mean


def _spectrum(errors, largest):
    place = errors / largest * SPECTRUM_BINS
    bins = np.minimum(place.astype(int), SPECTRUM_BINS - 1)
    offset = np.bincount(bins, np.rint((place - bins) * ONE), SPECTRUM_BINS).astype(np.int64)
    return Spectrum(np.bincount(bins, minlength=SPECTRUM_BINS), offset, largest, float((errors**2).sum()))


def _rate(mean, errors):
    """The largest value over t of ``t mean - log(mean of exp(t error))``."""

    def less(t):
        return special.logsumexp(t * errors) - np.log(len(errors)) - t * mean

    return max(-optimize.minimize_scalar(less, bounds=(0, 2000), method="bounded", options={"xatol": 1e-9}).fun, 0.0)


def test_masses_lie_at_the_edges_of_bins_and_keep_the_mean():
    spectrum = Spectrum(np.array([3, 1]), np.array([1.5 * ONE, 0.25 * ONE]).astype(np.int64), 8.0, 0.0)
    # Three errors of 1.5 bins in all above the first edge, one a quarter of a bin above the second.
    assert spectrum.masses.tolist() == [1.5 / 4, (1.5 + 0.75) / 4, 0.25 / 4]


@pytest.mark.parametrize("largest", [1.0, 36.0])
def test_the_chance_is_chernoffs_bound_of_the_slice_or_of_the_rest(largest):
    rng = np.random.default_rng(1)
    # On the edges of bins, where nothing is moved.
    errors = np.rint(rng.beta(0.6, 3, 500) * SPECTRUM_BINS) / SPECTRUM_BINS * largest
    n = np.array([10, 10, 100, 400, 470, 499, 30])
    mean = errors.mean() * np.array([1.5, 3.0, 1.4, 1.1, 1.05, 1.001, 0.9])
    found = chance_of_mean(_spectrum(errors, largest), n, mean)
    larger = set()
    for i in range(len(n)):
        rest = (errors.sum() - n[i] * mean[i]) / (500 - n[i])
        # The errors of the rest are low, which is their distances from the largest being high.
        sides = n[i] * _rate(mean[i], errors), (500 - n[i]) * _rate(-rest, -errors)
        larger.add(int(np.argmax(sides)))
        assert found[i] == pytest.approx(np.exp(-max(sides)), rel=1e-6), i
    assert larger == {0, 1} and found[-1] == 1.0


def test_errors_of_two_sizes_have_the_bound_of_a_binomial():
    # Two neighbouring edges, half of the rows at each: n times the Kullback-Leibler divergence of the shares.
    n = np.zeros(SPECTRUM_BINS, dtype=np.int64)
    n[512] = 2000
    spectrum = Spectrum(n, np.rint(n / 2 * ONE).astype(np.int64), 1.0, 0.0)
    for share in (0.6, 0.8, 0.99):
        (found,) = chance_of_mean(spectrum, np.array([50]), np.array([(512 + share) / 1024]))
        assert found == pytest.approx(np.exp(-50 * special.rel_entr([share, 1 - share], [0.5, 0.5]).sum()), rel=1e-6)


def test_a_chance_that_no_float_holds_is_not_nought():
    (found,) = chance_of_mean(_spectrum(np.arange(9000) % 10 // 9 * 1.0, 1.0), np.array([900]), np.array([1.0]))
    assert 0 < found <= np.finfo(float).tiny
