"""What each operation of the API asks of the table: round trips, read units, write units.

`capacity.json` is the budget, one entry for each query and mutation, measured on the world below. The test wants it met exactly: what got
dearer is a mistake or a decision, what got cheaper belongs into the file. It is written, with the table in docs/access-patterns.md, by
`UPDATE_CAPACITY=1 make test WORKERS=0 TESTS=tests/contracts/test_capacity.py`; look at the difference before you commit it.
"""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from billing import checkout_services
from chat import message_services as messages
from chat import moderation_services
from chat import services as rooms
from chat.items import Message, Room
from goalgraph import wiring
from goalgraph.auth.actor import SYSTEM, Actor
from goalgraph.graphql.context import Context
from goalgraph.graphql.schema import schema
from goalgraph.table.attributes import instant_text
from goalgraph.table.metering import Meter, metered
from goals import services, task_services
from goals.items import Goal, Task
from notifications import device_services
from notifications import services as notifications
from notifications.items import Notification
from notifications.notices import Notice
from offers import indexing_services
from offers.items import Offer
from tests.fixtures import FakeClock
from tests.gamification.world import completed, handle
from tests.notifications.delivery_world import set_phone
from tests.offers.world import published
from users import connection_services as connections
from users import services as users

BUDGET = Path(__file__).with_name("capacity.json")
DOCUMENT = Path(__file__).parents[2] / "docs" / "access-patterns.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

OPERATIONS = {
    "Query.me": "{ me { id nickname } }",
    "Query.user": '{ user(id: "bruno") { id nickname } }',
    "Query.blocks": "{ blocks { edges { node { userId } } } }",
    "Query.connections": "{ connections { edges { node { userId user { nickname } } } } }",
    "Query.home": "{ home { user { id } goals { id title progress } agenda { id title dueAt } gameStats { score } } }",
    "Query.goals": '{ goals(userId: "ana") { id title } }',
    "Query.goals of another": '{ goals(userId: "bruno") { id title } }',
    "Query.goal": '{ goal(id: "$goal") { id title } }',
    "Query.goal with tasks": '{ goal(id: "$goal") { id tasks(first: 10) { edges { node { title } } } } }',
    "Query.goal of another": '{ goal(id: "$public") { id title } }',
    "Query.tasks": '{ tasks(goalId: "$goal") { id title } }',
    "Query.task": '{ task(id: "$task") { id title } }',
    "Query.agenda": "{ agenda(first: 20) { edges { node { id title } } } }",
    "Query.agenda with plans": "{ agenda(first: 20) { edges { node { id nlpPlan } } } }",
    "Query.assignedTasks": "{ assignedTasks(first: 20) { edges { node { id title } } } }",
    "Query.gameStats": "{ gameStats { score } }",
    "Query.seasons": "{ seasons { id score } }",
    "Query.leaderboard": "{ leaderboard(first: 20) { rank score } }",
    "Query.leaderboard among connections": '{ leaderboard(scope: "connections") { rank score user { nickname } } }',
    "Query.rooms": "{ rooms(first: 10) { edges { node { id title unreadCount } } } }",
    "Query.rooms with last messages": "{ rooms(first: 10) { edges { node { id lastMessage { text } } } } }",
    "Query.room": '{ room(id: "$room") { id memberCount unreadCount members { userId } } }',
    "Query.messages": '{ messages(roomId: "$room", first: 50) { id text } }',
    "Query.notifications": "{ notifications(first: 20) { edges { node { id title readAt } } } }",
    "Query.notificationPreferences": "{ notificationPreferences { digestAt kinds { kind email } } }",
    "Query.devices": "{ devices { id platform } }",
    "Query.webPushKey": "{ webPushKey }",
    "Query.whyNotified": '{ whyNotified(id: "$note") { channel reason state } }',
    "Query.offers": "{ offers { id title url } }",
    "Query.offers by tags": '{ offers(tags: ["running"]) { id title url } }',
    "Query.offerFeed": "{ offerFeed(first: 10) { edges { node { id title whyThis url impressionUrl } } } }",
    "Query.offer": '{ offer(id: "$offer") { id title } }',
    "Query.hiddenCompanies": "{ hiddenCompanies }",
    "Query.searchOffers": '{ searchOffers(query: "running shoes", first: 20) { edges { node { id title url } } } }',
    "Query.plans": "{ plans { id prices { amount } features } }",
    "Query.subscription": "{ subscription { planId state tier } }",
    "Query.entitlements": "{ entitlements { tier features } }",
    "Mutation.upsertProfile": 'mutation { upsertProfile(input: {nickname: "Ana"}) { id } }',
    "Mutation.block": 'mutation { block(userId: "bruno") }',
    "Mutation.unblock": 'mutation { unblock(userId: "bruno") }',
    "Mutation.requestConnection": 'mutation { requestConnection(userId: "carla") { state } }',
    "Mutation.respondToConnection": 'mutation { respondToConnection(userId: "dora", accept: true) { state } }',
    "Mutation.removeConnection": 'mutation { removeConnection(userId: "bruno") }',
    "Mutation.createGoal": 'mutation { createGoal(input: {title: "New"}) { id } }',
    "Mutation.updateGoal": 'mutation { updateGoal(id: "$goal", input: {title: "New"}) { id } }',
    "Mutation.archiveGoal": 'mutation { archiveGoal(id: "$goal") { id } }',
    "Mutation.addTask": 'mutation { addTask(input: {goalId: "$goal", title: "New", dueAt: "2027-08-01T12:00:00Z"}) { id } }',
    "Mutation.addTask undated": 'mutation { addTask(input: {goalId: "$goal", title: "New"}) { id } }',
    "Mutation.addTask repeating": (
        'mutation { addTask(input: {goalId: "$goal", title: "New", dueAt: "2027-08-01T12:00:00Z", repeat: "FREQ=DAILY"}) { id } }'
    ),
    "Mutation.updateTask": 'mutation { updateTask(id: "$task", input: {title: "New"}) { id } }',
    "Mutation.updateTask dueAt": 'mutation { updateTask(id: "$task", input: {dueAt: "2027-09-01T12:00:00Z"}) { id } }',
    "Mutation.markTaskDone": 'mutation { markTaskDone(taskId: "$task") { id } }',
    "Mutation.markTaskDone repeating": 'mutation { markTaskDone(taskId: "$task") { id } }',
    "Mutation.reopenTask": 'mutation { reopenTask(taskId: "$done") { id } }',
    "Mutation.reopenTask repeating": 'mutation { reopenTask(taskId: "$task") { id } }',
    "Mutation.declineTask": 'mutation { declineTask(taskId: "$given") }',
    "Mutation.deleteTask": 'mutation { deleteTask(taskId: "$task") { id } }',
    "Mutation.openRoom": 'mutation { openRoom(input: {memberIds: ["bruno"], title: "New"}) { id } }',
    "Mutation.inviteToRoom": 'mutation { inviteToRoom(roomId: "$room", userIds: ["carla"]) { id } }',
    "Mutation.leaveRoom": 'mutation { leaveRoom(roomId: "$room") }',
    "Mutation.sendMessage": 'mutation { sendMessage(roomId: "$room", text: "Hi") { id } }',
    "Mutation.sendMessage direct": 'mutation { sendMessage(roomId: "$direct", text: "Hi") { id } }',
    "Mutation.sendMessage with an id": 'mutation { sendMessage(roomId: "$room", text: "Hi", clientMessageId: "c-1") { id } }',
    "Mutation.editMessage": 'mutation { editMessage(messageId: "$message", text: "Hello") { id } }',
    "Mutation.deleteMessage": 'mutation { deleteMessage(messageId: "$message") { id } }',
    "Mutation.react": 'mutation { react(messageId: "$message", emoji: "👍") { id } }',
    "Mutation.markRead": 'mutation { markRead(roomId: "$room") { id } }',
    "Mutation.setTyping": 'mutation { setTyping(roomId: "$room") }',
    "Mutation.updateNotificationPreferences": 'mutation { updateNotificationPreferences(input: {digestAt: "09:00"}) { digestAt } }',
    "Mutation.markNotificationsRead": 'mutation { markNotificationsRead(ids: ["$note"]) }',
    "Mutation.markNotificationsRead all": "mutation { markNotificationsRead(all: true) }",
    "Mutation.snoozeReminder": 'mutation { snoozeReminder(id: "$note", minutes: 10) { id } }',
    "Mutation.registerDevice": 'mutation { registerDevice(input: {platform: "fcm", token: "another phone"}) { id } }',
    "Mutation.registerDevice again": 'mutation { registerDevice(input: {platform: "fcm", token: "phone"}) { id } }',
    "Mutation.removeDevice": 'mutation { removeDevice(id: "$device") }',
    "Mutation.setEmail": 'mutation { setEmail(email: "ana@example.org") { email } }',
    "Mutation.setEmail none": "mutation { setEmail { email } }",
    "Mutation.setPhone": 'mutation { setPhone(phone: "+5511912345678") { phone } }',
    "Mutation.confirmPhone": 'mutation { confirmPhone(code: "$code") { phone } }',
    "Mutation.useStreakFreeze": 'mutation { useStreakFreeze(date: "2027-07-02") { score } }',
    "Mutation.setRestDays": 'mutation { setRestDays(days: ["sunday"]) { score } }',
    "Mutation.hideCompany": 'mutation { hideCompany(companyId: "runwell") }',
    "Mutation.unhideCompany": 'mutation { unhideCompany(companyId: "runwell") }',
    "Mutation.createCheckoutSession": 'mutation { createCheckoutSession(planId: "premium") { url } }',
    "Mutation.createPortalSession": "mutation { createPortalSession { url } }",
    "Mutation.appealModeration": 'mutation { appealModeration(messageId: "$message", text: "Why?") }',
    "Mutation.reportMessage": 'mutation { reportMessage(messageId: "$theirs", reason: "Rude") }',
}
"""On ana's 4 goals of 10 tasks each, 9 of them open; bruno has a public goal, and gave her a task of it; they share two rooms and are
connected, and dora asked her to connect. She was reminded of 20 tasks, and has done something
on each of the last 7 days. 10 offers stand under a tag of hers; no process keeps that yet."""


OF_SQL = ("Mutation.createCheckoutSession", "Mutation.createPortalSession")
"""Beside the table they use SQL, which says whose a customer at Stripe is."""


@dataclass(frozen=True)
class World:
    actor: Actor
    goal: Goal
    public: Goal
    task: Task
    done: Task
    given: Task
    room: Room
    direct: Room
    message: Message
    theirs: Message
    note: Notification
    offer: Offer

    def document(self, operation: str, **more: str) -> str:
        text = OPERATIONS[operation]
        places = ("goal", "public", "task", "done", "given", "room", "direct", "message", "theirs", "note", "offer")
        for name, value in ({name: getattr(self, name).id for name in places} | more).items():
            text = text.replace(f"${name}", value)
        return text


@pytest.fixture
def world(memory_world: FakeClock) -> World:
    ana, bruno, carla = Actor("ana"), Actor("bruno"), Actor("carla")
    for member, name in ((ana, "Ana"), (bruno, "Bruno"), (carla, "Carla")):
        users.upsert_profile(member, {"nickname": name, "tags": ["running", "portuguese"]})
    dora = Actor("dora")
    users.upsert_profile(dora, {"nickname": "Dora"})
    for member in (bruno, dora):
        connections.request_connection(member, "ana")
    connections.respond_to_connection(ana, "bruno", accept=True)
    public = services.create_goal(bruno, {"title": "Open to all", "visibility": "public"})
    for number in range(4):
        goal = services.create_goal(ana, {"title": f"Goal number {number}", "description": "As far as one can. " * 5})
        for step in range(10):
            due = memory_world.now() + timedelta(days=step + 1)
            task = task_services.add_task(
                ana, goal.id, {"title": f"Step number {step} of this goal", "due_at": due, "nlp_plan": {"n": step}}
            )
        done = task_services.mark_task_done(ana, task_services.tasks(ana, goal.id)[0].id)
    given = task_services.add_task(bruno, public.id, {"title": "Help me", "assignees": ["ana"]})
    room, direct = rooms.open_room(ana, ["bruno"], title="Run club"), rooms.open_room(ana, ["bruno"])
    for where in (room, direct):
        theirs = messages.send(bruno, where.id, "Good morning! Shall we run on Saturday?")
        message = messages.send(ana, where.id, "Yes, at seven by the lake.")
    theirs, message = messages.history(ana, room.id)
    facts = {"title": task.title, "dueAt": instant_text(task.due_at)}
    reminders = [Notice("ana", "reminder", str(number), memory_world.now(), facts=facts, subject=task.id) for number in range(20)]
    notifications.notify(SYSTEM, reminders)
    handle(*(completed(ana, f"task {day}", memory_world.now() - timedelta(days=day)) for day in range(7)))
    note = notifications.notifications_page(ana, limit=1).items[0]
    offers = [published(f"Offer {number}", company_id="runwell" if number < 2 else f"c{number}") for number in range(10)]
    return World(ana, goal, public, task, done, given, room, direct, message, theirs, note, offers[0])


def prepare(world: World, operation: str) -> dict[str, str]:
    """What some operations begin with beyond the world; returns what their documents name of it."""
    if operation in ("Mutation.markTaskDone repeating", "Mutation.reopenTask repeating"):
        task_services.update_task(world.actor, world.task.id, {"repeat": "FREQ=DAILY"})
    if operation == "Mutation.reopenTask repeating":
        task_services.mark_task_done(world.actor, world.task.id)
    if operation in ("Query.devices", "Mutation.registerDevice again", "Mutation.removeDevice"):
        return {"device": device_services.register(world.actor, "fcm", "phone").device_id}
    if operation == "Mutation.appealModeration":
        moderation_services.redact(SYSTEM, world.message.id, "Cruel")
    if operation == "Mutation.createPortalSession":
        checkout_services.create_checkout_session(world.actor, "premium", "month")
    if operation == "Query.searchOffers":
        for number in range(20):
            indexing_services.index(published(f"Running shoes number {number}").offer_id)
    if operation == "Mutation.confirmPhone":
        set_phone(world.actor, "+5511912345678")
        ((_, text),) = wiring.sms().sent.values()
        return {"code": re.search(r"\d{6}", text)[0]}
    return {}


def measure(world: World, operation: str) -> Meter:
    document = world.document(operation, **prepare(world, operation))
    with metered() as meter:
        result = schema.execute(document, context_value=Context(world.actor))
    assert result.errors is None, result.errors
    return meter


def figures(meter: Meter) -> dict[str, float]:
    return {"roundTrips": meter.round_trips, "readUnits": meter.read_units, "writeUnits": meter.write_units}


@pytest.mark.parametrize("operation", [pytest.param(each, marks=[pytest.mark.django_db] if each in OF_SQL else []) for each in OPERATIONS])
def test_an_operation_costs_what_its_budget_says(world, operation):
    measured = figures(measure(world, operation))

    if os.environ.get("UPDATE_CAPACITY"):
        _write(operation, measured)
    assert json.loads(BUDGET.read_text())[operation] == measured


def test_every_query_and_mutation_has_a_budget():
    fields = {f"{root.name}.{name}" for root in _roots() for name in root.fields}

    assert {operation.split(" ")[0] for operation in OPERATIONS} == fields
    assert set(json.loads(BUDGET.read_text())) == set(OPERATIONS)


def test_home_is_one_round_trip_and_no_write(world):
    assert figures(measure(world, "Query.home")) | {"readUnits": 0} == {"roundTrips": 1, "readUnits": 0, "writeUnits": 0}


def test_the_document_shows_the_budget():
    text = DOCUMENT.read_text()
    shown = text[text.index(BEGIN) + len(BEGIN) : text.index(END)].strip()

    assert shown == _table(json.loads(BUDGET.read_text()))


def _roots() -> Iterator:
    yield schema.graphql_schema.query_type
    yield schema.graphql_schema.mutation_type


def _write(operation: str, measured: dict[str, float]) -> None:
    budget = json.loads(BUDGET.read_text()) if BUDGET.exists() else {}
    budget[operation] = measured
    BUDGET.write_text(json.dumps({name: budget[name] for name in OPERATIONS if name in budget}, indent=2) + "\n")
    text = DOCUMENT.read_text()
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    DOCUMENT.write_text(f"{text[:begin]}\n{_table(json.loads(BUDGET.read_text()))}\n{text[end:]}")


def _table(budget: dict[str, dict[str, float]]) -> str:
    rows = ["| operation | round trips | read units | write units |", "|---|---|---|---|"]
    rows += [f"| {name} | {cost['roundTrips']} | {cost['readUnits']:g} | {cost['writeUnits']:g} |" for name, cost in budget.items()]
    return "\n".join(rows)
