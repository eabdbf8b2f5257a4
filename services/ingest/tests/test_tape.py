from algotrendy_ingest.domain.tape import Gap, Place, Tape
from hypothesis import given
from hypothesis import strategies as st


def test_the_first_trade_shown_begins_the_tape():
    assert Tape().place(500) is Place.NEXT


def test_a_tape_known_from_before_shows_what_was_missed_meanwhile():
    assert Tape(last=7).place(11) == Gap(8, 10)
    assert len(Gap(8, 10)) == 3


def test_a_repeated_trade_and_an_older_one_are_told_and_counted():
    tape = Tape(last=7)
    assert [tape.place(8), tape.place(8), tape.place(3)] == [Place.NEXT, Place.REPEATED, Place.REPEATED]
    assert (tape.last, tape.repeated) == (8, 2)


def test_trades_without_a_number_always_follow():
    assert [Tape(last=7).place(None), Tape().place(None)] == [Place.NEXT, Place.NEXT]


@given(st.lists(st.integers(min_value=1, max_value=60), min_size=1))
def test_every_number_up_to_the_newest_passes_once_or_is_in_exactly_one_gap(numbers):
    tape = Tape(last=0)
    passed, missed = [], []
    for number in numbers:
        place = tape.place(number)
        if place is Place.REPEATED:
            continue
        passed.append(number)
        if isinstance(place, Gap):
            missed += range(place.first, place.last + 1)
    assert sorted(passed + missed) == list(range(1, max(numbers) + 1))
    assert len(passed) + tape.repeated == len(numbers)


def test_an_unnumbered_trade_passes_once_by_its_name():
    tape = Tape()
    places = [tape.place(None, 1, name) for name in ("a", "b", "a", "c")]
    assert places == [Place.NEXT, Place.NEXT, Place.REPEATED, Place.NEXT]
    assert tape.repeated == 1
