"""The member whose home screen is asked for, written by the services that members use."""

from datetime import timedelta

from gamification.items import GameAggregate
from goalgraph import wiring
from goalgraph.auth.actor import Actor
from goalgraph.table import table
from goalgraph.table.creation import ensure
from goals import services, task_services
from users import services as users

GOALS, TASKS_EACH = 5, 10

HOME = """
query Home {
  home {
    user { id nickname avatarUrl language tags tier timezone }
    goals { id title description tags createdAt status progress taskCount doneCount }
    agenda { id goalId title dueAt status createdAt }
    gameStats { score level streak { current longest freezes } badges { id } }
  }
}
"""


def seed(user_id: str) -> Actor:
    """Create the table, and in it a profile, 5 goals of 10 open tasks each, and an aggregate. Returns the member."""
    adapter = wiring.port("table")
    list(ensure(adapter.connection, adapter.name))
    member = Actor(user_id)
    picture = "https://cdn.example/avatars/ana.png"
    tags = ["running", "portuguese", "reading"]
    users.upsert_profile(
        member, {"nickname": "Ana", "avatar_url": picture, "language": "pt-BR", "tags": tags, "timezone": "America/Sao_Paulo"}
    )
    tomorrow = wiring.clock().now().replace(microsecond=0) + timedelta(days=1)
    for number in range(GOALS):
        goal = services.create_goal(member, {"title": f"Run a marathon, part {number}", "description": "In small steps.", "tags": tags[:2]})
        for step in range(TASKS_EACH):
            due = tomorrow + timedelta(hours=number * TASKS_EACH + step)
            task_services.add_task(member, goal.id, {"title": f"Run {step + 3} km before breakfast", "due_at": due})
    badges = ["first-goal", "week-streak"]
    table(member).put(GameAggregate(score=4210, level=7, streak_current=12, streak_longest=30, streak_freezes=2, badges=badges))
    return member
