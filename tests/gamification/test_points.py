"""Points: what counts of a day, levels, badges."""

from hypothesis import given
from hypothesis import strategies as st

from gamification.points import BADGES, RULES, Rule, added, badges, level_of, scored, worth

GIFTS = st.lists(st.tuples(st.sampled_from(["2027Q3", "2027Q4"]), st.sampled_from(sorted(RULES))), max_size=60)


@given(GIFTS, st.data())
def test_what_counts_of_a_day_does_not_depend_on_the_order_and_taking_back_leaves_no_trace(gifts, data):
    taken = data.draw(st.lists(st.sampled_from(range(len(gifts))), unique=True)) if gifts else []
    moves = [(season, kind, 1) for season, kind in gifts] + [(*gifts[place], -1) for place in taken]
    left = [gift for place, gift in enumerate(gifts) if place not in taken]

    tally = {}
    for season, kind, sign in data.draw(st.permutations(moves)):
        tally = added(tally, season, worth([kind], RULES), sign)

    for season in ("2027Q3", "2027Q4"):
        counts = [kind for each, kind in left if each == season]
        assert scored(tally, season, RULES) == sum(min(RULES[kind].cap, counts.count(kind) * RULES[kind].points) for kind in RULES)


def test_no_kind_counts_for_more_than_its_cap():
    tally = {}
    for _ in range(1000):
        tally = added(tally, "2027Q3", worth(RULES, RULES))
    assert scored(tally, "2027Q3", RULES) == sum(rule.cap for rule in RULES.values())
    assert scored(tally, "2027Q4", RULES) == 0


def test_a_kind_whose_rule_is_gone_keeps_what_it_gave():
    tally = added({}, "2027Q3", {"task": 10, "forgotten": 7})
    assert scored(tally, "2027Q3", {"task": Rule(10, 5)}) == 12


@given(st.integers(0, 10**9))
def test_level_n_begins_at_50_n_times_n_minus_1_points(score):
    level = level_of(score)
    assert 50 * level * (level - 1) <= score < 50 * (level + 1) * level


def test_badges_are_earned_by_counts_and_streaks_and_stay():
    assert badges([], {}, 0) == []
    assert badges([], {"task": 1}, 0) == ["first_task"]
    assert badges([], {"task": 9}, 7) == ["first_task", "streak_7"]
    assert badges(["streak_7", "first_task"], {"task": 0}, 0) == ["streak_7", "first_task"]
    everything = badges([], dict.fromkeys(RULES, 1000), 365)
    assert sorted(everything) == sorted(BADGES)
    assert badges(everything, dict.fromkeys(RULES, 1000), 365) == everything
