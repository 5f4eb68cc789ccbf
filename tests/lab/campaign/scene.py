"""Random faults against PostgreSQL and an appender with clients that keep book of every answer.

`./lab test campaign --minutes 60 --seed S` for more than CI's three; `--seed S --only 17..23` plays
these steps of that schedule again. docs/lab.md says what is checked.
"""
import signal

from tools.lab.campaign.play import Campaign, Plan

NODES = ("node1", "node2", "witness")
TIMEOUT = 86400     # ctest's; the play bounds itself, for the minutes are an option
ENDING_S = 600      # the last step, its healing and the last audit


def play(lab):
    plan = Plan.from_environment()
    signal.alarm(int(plan.minutes * 60) + ENDING_S if not plan.only else 7200)
    lab.tell(f"seed {plan.seed}, {plan.minutes:g} minutes{', steps ' + plan.only if plan.only else ''}")
    Campaign(lab, plan).run()
