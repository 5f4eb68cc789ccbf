"""A campaign's schedule comes from its seed alone, and any part of it can be played again."""
import itertools
import unittest

from tools.lab.campaign import faults, schedule

NAMES = {f"fault {n}": 60.0 for n in range(7)}


class ScheduleTest(unittest.TestCase):
    def steps(self, seed, only=None, limit=40, names=NAMES):
        return [schedule.step(seed, number, names)
                for number in itertools.islice(schedule.numbers(only), limit)]

    def test_the_same_seed_is_the_same_schedule(self):
        self.assertEqual(self.steps(3), self.steps(3))
        self.assertNotEqual([step.fault for step in self.steps(3)], [step.fault for step in self.steps(4)])

    def test_a_part_is_the_same_as_in_the_whole(self):
        whole = self.steps(3)
        self.assertEqual(self.steps(3, "17..23"), whole[16:23])
        self.assertEqual(self.steps(3, "2,5..6"), [whole[1], whole[4], whole[5]])
        self.assertEqual([step.dice().random() for step in self.steps(3, "9")], [whole[8].dice().random()])

    def test_each_deck_holds_every_fault(self):
        named = [step.fault for step in self.steps(3)]
        for at in range(0, 28, 7):
            self.assertEqual(sorted(named[at:at + 7]), sorted(NAMES))

    def test_holds_are_within_bounds(self):
        held = [step.hold_s for step in self.steps(1, limit=400)]
        self.assertTrue(all(1 <= seconds <= 60 for seconds in held))
        self.assertTrue(min(held) < 2 and max(held) > 40)

    def test_what_happens_at_once_is_not_held(self):
        brief = dict(NAMES, **{"fault 3": 2.0})
        held = [step.hold_s for step in self.steps(1, limit=200, names=brief) if step.fault == "fault 3"]
        self.assertTrue(held and max(held) <= 2)

    def test_some_steps_are_pressed_and_never_the_first(self):
        pressed = [step.pressed for step in self.steps(1, limit=400)]
        self.assertFalse(pressed[0])
        self.assertTrue(50 < sum(pressed) < 150, sum(pressed))

    def test_every_fault_of_the_table_is_dealt(self):
        names = {name: each.longest_s for name, each in faults.FAULTS.items()}
        dealt = {step.fault for step in self.steps(1, limit=len(names), names=names)}
        self.assertEqual(dealt, set(names))


if __name__ == "__main__":
    unittest.main()
