"""Mixed images and their targets agree: the share of a partner's pixels is its share of the target."""

import numpy as np
import pytest
import torch

from florilegium.mixing import mix

NONE = {"mixup": 0, "cutmix": 0}
SIDE = 40


def batch(count=6):
    """Image i is all i, of class i, so that a mixed image says what it is made of."""
    labels = torch.arange(count)
    return labels.float().view(-1, 1, 1, 1).expand(count, 3, SIDE, SIDE).contiguous(), labels


def mixed(settings, seed):
    return mix(*batch(), 6, NONE | settings, torch.Generator().manual_seed(seed))


def test_without_mixing_nothing_changes_and_nothing_is_drawn():
    views, labels = batch()
    generator = torch.Generator().manual_seed(3)
    before = generator.get_state()
    same, targets = mix(views, labels, 6, NONE, generator)
    assert same is views and targets is None and torch.equal(generator.get_state(), before)


@pytest.mark.parametrize("settings", [{"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 0.4, "cutmix": 1.0}])
@pytest.mark.parametrize("seed", range(5))
def test_the_targets_are_the_shares_of_the_pixels(settings, seed):
    views, targets = mixed(settings, seed)
    assert torch.allclose(targets.sum(1), torch.ones(6))
    expected = targets @ torch.arange(6).float()  # the mean of an image is the mean of what it is made of
    assert torch.allclose(views.mean(dim=(1, 2, 3)), expected, atol=1e-4)
    assert ((targets > 0).sum(1) <= 2).all() and (targets.diagonal() > 0).any()


@pytest.mark.parametrize("seed", range(5))
def test_cutmix_leaves_pixels_as_they_are_and_mixup_blends_all(seed):
    cut, _ = mixed({"cutmix": 1.0}, seed)
    assert set(cut.unique().tolist()) <= set(range(6))
    blended, targets = mixed({"mixup": 0.4}, seed)
    assert (blended.flatten(1).std(1) < 1e-5).all() and targets.shape == (6, 6)


def test_the_shares_are_those_of_the_beta_distribution():
    shares = np.array([mixed({"mixup": 0.5}, seed)[1].diagonal()[0].item() for seed in range(400)])
    # Beta(a, a): mean 1/2, variance 1 / (8 a + 4).
    assert shares.mean() == pytest.approx(0.5, abs=0.06) and shares.var() == pytest.approx(1 / 8, abs=0.02)


def test_both_kinds_get_about_half_of_the_batches():
    blends = [len(mixed({"mixup": 1.0, "cutmix": 1.0}, seed)[0][1].unique()) == 1 for seed in range(200)]
    assert 0.35 < np.mean(blends) < 0.65


def test_the_same_generator_mixes_alike():
    first, second = (mixed({"mixup": 0.4, "cutmix": 1.0}, 7) for _ in range(2))
    assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])
