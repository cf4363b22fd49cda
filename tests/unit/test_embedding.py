"""Samples are drawn evenly by class, and the map of the features shows which of them are alike."""

import itertools

import numpy as np
import pytest

from explain import SHOWN, right_and_wrong
from florilegium.embedding import flat_map, neighbour_share
from florilegium.sampling import evenly_by_class


def drawn_of_each(labels, count, seed=0):
    """(class, images it has, images drawn of it) for every class."""
    picked = evenly_by_class(labels, count, seed)
    return [(label, (labels == label).sum(), (labels[picked] == label).sum()) for label in np.unique(labels)]


@pytest.mark.parametrize("count", [1, 7, 40, 150, 300])
@pytest.mark.parametrize("classes", [2, 5, 102])
def test_two_classes_differ_by_at_most_one_image_unless_the_smaller_is_used_up(classes, count):
    labels = np.random.default_rng(classes).geometric(1.5 / classes, 400).clip(max=classes) * 3  # uneven, with gaps
    shares = drawn_of_each(labels, count)
    assert sum(drawn for *_, drawn in shares) == count
    for (_, size, one), (_, _, other) in itertools.permutations(shares, 2):
        assert one >= other - 1 or one == size


def test_a_draw_is_sorted_without_repetition_and_the_same_for_the_same_seed():
    labels = np.arange(200) % 7
    picked = evenly_by_class(labels, 50, seed=3)
    assert (np.diff(picked) > 0).all() and np.issubdtype(picked.dtype, np.integer)
    assert (picked == evenly_by_class(labels, 50, seed=3)).all()
    assert (picked != evenly_by_class(labels, 50, seed=4)).any()
    assert set(picked) != set(range(50)), "not simply the first"


@pytest.mark.parametrize("count", [30, 31, 1000])
def test_all_images_are_drawn_when_there_are_no_more_than_wanted(count):
    assert evenly_by_class(np.arange(30) % 4, count).tolist() == list(range(30))


def test_of_no_images_none_are_drawn():
    assert evenly_by_class(np.array([], int), 6).tolist() == []


def test_photographs_to_explain_are_right_ones_then_wrong_ones_of_many_classes():
    labels, correct = np.arange(100) % 10, np.arange(100) % 3 > 0
    chosen = right_and_wrong(correct, labels, seed=1)
    assert correct[chosen].tolist() == [True] * SHOWN + [False] * SHOWN
    assert len(set(labels[chosen[:SHOWN]])) == len(set(labels[chosen[SHOWN:]])) == SHOWN


@pytest.mark.parametrize("right", [True, False])
def test_a_network_that_is_always_right_or_always_wrong_can_be_explained(right):
    chosen = right_and_wrong(np.full(20, right), np.arange(20) % 5, seed=0)
    assert len(chosen) == SHOWN


@pytest.fixture(scope="module")
def kinds():
    """Features of 20 images, of two kinds that lie far from each other."""
    kind = np.arange(20) % 2
    features = np.random.default_rng(0).normal(size=(20, 64)) + 8 * kind[:, None]
    return features.astype(np.float32), kind


def test_a_map_keeps_apart_what_is_apart_and_lies_between_0_and_1(kinds):
    features, kind = kinds
    places = flat_map(features, seed=0)
    assert places.shape == (20, 2) and places.dtype == np.float32
    assert places.min(axis=0).tolist() == [0, 0] and places.max(axis=0).tolist() == [1, 1]
    assert neighbour_share(places, kind) == 1
    assert (places == flat_map(features, seed=0)).all(), "the same seed, the same map"


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_a_map_of_a_handful_of_images_exists(kinds, count):
    places = flat_map(kinds[0][:count], seed=0)
    assert places.shape == (count, 2) and places.min() >= 0 and places.max() <= 1
    assert len(np.unique(places, axis=0)) == count, "each has a place of its own"


@pytest.mark.parametrize("value", [0, 0.1, 1e4 / 3])  # of 0.1 a PCA leaves rounding, with which t-SNE ends the process
def test_images_that_all_look_alike_lie_in_one_place(value):
    assert (flat_map(np.full((20, 8), value), seed=0) == 0).all()


def test_the_neighbour_share_is_what_one_counts_by_hand():
    #                     nearest: 1    0    1    4    3    4
    features = np.array([[0.0], [1], [2.5], [10], [11], [13]])
    labels = np.array([0, 0, 1, 1, 1, 2])
    #                  yes yes no yes yes no
    assert neighbour_share(features, labels) == pytest.approx(4 / 6)
    assert neighbour_share(np.zeros((2, 3)), np.array([0, 1])) == 0, "an image is not its own neighbour"
    assert np.isnan(neighbour_share(features[:1], labels[:1])), "one image has no neighbour"
