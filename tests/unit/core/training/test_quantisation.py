from core.training.quantisation import choose_evenly


def test_samples_are_chosen_over_the_whole_length() -> None:
    assert choose_evenly(range(100), 3) == [0, 50, 99]
    assert choose_evenly([5, 6], 9) == [5, 6]
