"""Whatever is sent to the real schema over a real socket: a coded error or an answer, never a fault of ours."""

import itertools
import json

import httpx
import pytest
from django.test import override_settings

from goals.domain import MAX_PLAN_BYTES
from tests.goalgraph.conftest import Edge, code_of

WIDE = "𠀀"  # 4 bytes in UTF-8, two UTF-16 units, and 12 characters when JSON escapes it
TEXTS = {
    "empty": "",
    "blank": " \t\n ",
    "nul": "a\x00b",
    "separator": "USER#ana",
    "look-alike": "аna",  # noqa: RUF001 - Cyrillic
    "fullwidth": "ＡＮＡ＃",  # noqa: RUF001
    "override": "\u202eana",
    "filler": "\u3164",
    "combining": "e" + "\u0301" * 3000,
    "wide": WIDE * 3000,
    "long": "x" * 100_000,
    "number": 10**4000,
    "negative": -1,
    "huge float": 1e308,
    "true": True,
    "null": None,
    "list": [[[[["x"]]]]],
    "object": {"a": {"b": ["c"]}},
    "date": "2027-02-30T12:00:00Z",
    "naive date": "2027-01-01T12:00:00",
    "day": "2027-01-01",
    "year 0": "0000-01-01T00:00:00Z",
    "year 9999": "9999-12-31T23:59:59-14:00",
    "leap second": "2027-06-30T23:59:60Z",
    "injection": '"}) { __schema { types { name } } } #',
}
PROFILE = "nickname avatarUrl language pronouns bio tags timezone visibility"
PREFER = "updateNotificationPreferences"
OPERATIONS = {
    "user": ("query($x: ID!) { user(id: $x) { id } }", None),
    "goals": ("query($x: ID!) { goals(userId: $x) { id } }", None),
    "goal": ("query($x: ID!) { goal(id: $x) { id } }", None),
    "tasks": ("query($x: ID!) { tasks(goalId: $x) { id } }", None),
    "task": ("query($x: ID!) { task(id: $x) { id } }", None),
    "agenda until": ("query($x: DateTime) { agenda(until: $x) { edges { cursor } } }", None),
    "agenda after": ("query($x: String) { agenda(after: $x) { edges { cursor } } }", None),
    "agenda before": ("query($x: String) { agenda(before: $x) { edges { cursor } } }", None),
    "agenda first": ("query($x: Int) { agenda(first: $x) { edges { cursor } } }", None),
    "block": ("mutation($x: ID!) { block(userId: $x) }", None),
    "unblock": ("mutation($x: ID!) { unblock(userId: $x) }", None),
    "connections": ("query($x: String) { connections(state: $x) { edges { cursor } } }", None),
    "requestConnection": ("mutation($x: ID!) { requestConnection(userId: $x) { state } }", None),
    "respondToConnection": ("mutation($x: ID!) { respondToConnection(userId: $x, accept: true) { state } }", None),
    "removeConnection": ("mutation($x: ID!) { removeConnection(userId: $x) }", None),
    "useStreakFreeze": ("mutation($x: String) { useStreakFreeze(date: $x) { score } }", None),
    "setRestDays": ("mutation($x: [String!]!) { setRestDays(days: $x) { score } }", None),
    "leaderboard season": ("query($x: String) { leaderboard(season: $x) { score } }", None),
    "leaderboard scope": ("query($x: String) { leaderboard(scope: $x) { score } }", None),
    "leaderboard first": ("query($x: Int) { leaderboard(first: $x) { score } }", None),
    "notifications after": ("query($x: String) { notifications(after: $x) { edges { cursor } } }", None),
    "notifications last": ("query($x: Int) { notifications(last: $x) { edges { cursor } } }", None),
    "whyNotified": ("query($x: ID!) { whyNotified(id: $x) { reason } }", None),
    "markNotificationsRead ids": ("mutation($x: [ID!]) { markNotificationsRead(ids: $x) }", None),
    "markNotificationsRead until": ("mutation($x: ID) { markNotificationsRead(until: $x) }", None),
    "snoozeReminder id": ("mutation($x: ID!) { snoozeReminder(id: $x, minutes: 10) { id } }", None),
    "snoozeReminder minutes": ('mutation($x: Int!) { snoozeReminder(id: "n", minutes: $x) { id } }', None),
    "preferences": (f"mutation($x: NotificationPreferencesInput!) {{ {PREFER}(input: $x) {{ digestAt }} }}", "kinds quietHours digestAt"),
    "preferences by kind": (
        f"mutation($x: KindPreferenceInput!) {{ {PREFER}(input: {{kinds: [$x]}}) {{ digestAt }} }}",
        "kind inApp email push sms",
    ),
    "quiet hours": (f"mutation($x: QuietHoursInput!) {{ {PREFER}(input: {{quietHours: $x}}) {{ digestAt }} }}", "begin end"),
    "offers tags": ("query($x: [String!]) { offers(tags: $x) { id } }", None),
    "offerFeed after": ("query($x: String) { offerFeed(after: $x) { edges { cursor } } }", None),
    "offerFeed before": ("query($x: String) { offerFeed(before: $x) { edges { cursor } } }", None),
    "offerFeed first": ("query($x: Int) { offerFeed(first: $x) { edges { cursor } } }", None),
    "offer": ("query($x: ID!) { offer(id: $x) { id } }", None),
    "hideCompany": ("mutation($x: ID!) { hideCompany(companyId: $x) }", None),
    "unhideCompany": ("mutation($x: ID!) { unhideCompany(companyId: $x) }", None),
    "appealModeration id": ('mutation($x: ID!) { appealModeration(messageId: $x, text: "Why?") }', None),
    "appealModeration text": ('mutation($x: String!) { appealModeration(messageId: "$goal", text: $x) }', None),
    "reportMessage id": ('mutation($x: ID!) { reportMessage(messageId: $x, reason: "Rude") }', None),
    "reportMessage reason": ('mutation($x: String!) { reportMessage(messageId: "$goal", reason: $x) }', None),
    "archiveGoal": ("mutation($x: ID!) { archiveGoal(id: $x) { id } }", None),
    "markTaskDone": ("mutation($x: ID!) { markTaskDone(taskId: $x) { id } }", None),
    "reopenTask": ("mutation($x: ID!) { reopenTask(taskId: $x) { id } }", None),
    "declineTask": ("mutation($x: ID!) { declineTask(taskId: $x) }", None),
    "deleteTask": ("mutation($x: ID!) { deleteTask(taskId: $x) { id } }", None),
    "profile": ("mutation($x: ProfileInput!) { upsertProfile(input: $x) { id } }", PROFILE),
    "createGoal": ("mutation($x: GoalInput!) { createGoal(input: $x) { id } }", "title description tags visibility"),
    "updateGoal": ('mutation($x: GoalPatch!) { updateGoal(id: "$goal", input: $x) { id } }', "title description tags visibility"),
    "addTask": ("mutation($x: TaskInput!) { addTask(input: $x) { id } }", "goalId title dueAt nlpPlan assignees reminders"),
    "updateTask": ('mutation($x: TaskPatch!) { updateTask(id: "$task", input: $x) { id } }', "title dueAt nlpPlan assignees reminders"),
    "registerDevice": ("mutation($x: DeviceInput!) { registerDevice(input: $x) { id } }", "platform token subscription"),
    "registerDevice subscription": (
        'mutation($x: SubscriptionInput!) { registerDevice(input: {platform: "web", subscription: $x}) { id } }',
        "endpoint keys",
    ),
    "removeDevice": ("mutation($x: ID!) { removeDevice(id: $x) }", None),
    "searchOffers query": ("query($x: String!) { searchOffers(query: $x) { edges { cursor } } }", None),
    "searchOffers after": ('query($x: String) { searchOffers(query: "run", after: $x) { edges { cursor } } }', None),
    "searchOffers before": ('query($x: String) { searchOffers(query: "run", before: $x) { edges { cursor } } }', None),
    "setEmail": ("mutation($x: String) { setEmail(email: $x) { email } }", None),
    "setPhone": ("mutation($x: String) { setPhone(phone: $x) { phone } }", None),
    "confirmPhone": ("mutation($x: String!) { confirmPhone(code: $x) { phone } }", None),
}
DEFAULTS = {
    "createGoal": {"title": "T"},
    "addTask": {"title": "T", "goalId": "$goal"},
    "preferences by kind": {"kind": "reminder"},
    "quiet hours": {"begin": "22:00", "end": "07:00"},
    "registerDevice": {"platform": "fcm", "token": "token"},
    "registerDevice subscription": {"endpoint": "https://push.example.org/1", "keys": {"p256dh": "p", "auth": "a"}},
}


@pytest.fixture
def member(web: str, memory_world) -> Edge:
    with override_settings(RATE_LIMIT_BURST=0), httpx.Client(base_url=web, timeout=30) as client:
        yield Edge(client)


@pytest.fixture
def places(member: Edge) -> dict[str, str]:
    goal = member.gql('mutation { createGoal(input: {title: "Goal"}) { id } }')["data"]["createGoal"]["id"]
    task = member.gql('mutation($g: ID!) { addTask(input: {goalId: $g, title: "Task"}) { id } }', {"g": goal})["data"]["addTask"]["id"]
    return {"$goal": goal, "$task": task}


def filled(text: str, places: dict[str, str]) -> str:
    for name, value in places.items():
        text = text.replace(name, value)
    return text


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_value_in_no_field_is_a_fault_of_ours(member: Edge, places: dict[str, str], operation: str):
    query, fields = OPERATIONS[operation]
    for value in TEXTS.values():
        variables = [value] if fields is None else [DEFAULTS.get(operation, {}) | {field: value} for field in fields.split()]
        variables += [] if fields is None else [DEFAULTS.get(operation, {}) | {field: [value, value]} for field in fields.split()]
        for variable in variables:
            body = json.dumps({"query": filled(query, places), "variables": {"x": variable}})
            answer = member.http.post(
                "/graphql",
                content=filled(body, places).encode(errors="surrogatepass"),
                headers=member.auth | {"Content-Type": "application/json"},
            ).json()
            assert "errors" not in answer or code_of(answer) not in {"INTERNAL", "UNAUTHENTICATED"}, (value, answer)


LITERALS = ["9" * 4500, "-" + "9" * 4500, "1e400", "1e999999", '"\\ud800"', "[" * 25 + "]" * 25, "{a: " * 10 + "1" + "}" * 10]


@pytest.mark.parametrize("literal", LITERALS)
def test_no_literal_is_a_fault_of_ours(member: Edge, places: dict[str, str], literal: str):
    document = f'mutation {{ updateTask(id: "{places["$task"]}", input: {{nlpPlan: {literal}}}) {{ id }} }}'

    assert code_of(member.gql(document)) in {"INVALID", "TOO_COMPLEX"}


@pytest.mark.parametrize("character", ["x", "é", "漢", WIDE, "🎯"])
def test_the_longest_texts_fit_whatever_they_are_made_of(member: Edge, places: dict[str, str], character: str):
    profile = {"nickname": character * 50, "pronouns": character * 40, "bio": character * 1000, "tags": [f"{n:040}" for n in range(20)]}
    goal = {"title": character * 200, "description": character * 1000, "tags": [f"{n:040}" for n in range(10)]}
    plan = character * ((MAX_PLAN_BYTES - 2) // len(character.encode()))
    task = {
        "title": character * 200,
        "nlpPlan": plan,
        "dueAt": "2027-12-01T00:00:00Z",
        "reminders": [{"minutesBefore": n} for n in range(5)],
    }

    for field, kind, value in (("upsertProfile", "ProfileInput", profile), ("createGoal", "GoalInput", goal)):
        answer = member.gql(f"mutation($x: {kind}!) {{ {field}(input: $x) {{ id }} }}", {"x": value})
        assert "errors" not in answer, answer
    answer = member.gql("mutation($x: TaskInput!) { addTask(input: $x) { id nlpPlan } }", {"x": task | {"goalId": places["$goal"]}})
    assert answer["data"]["addTask"]["nlpPlan"] == plan
    home = member.gql("{ home { agenda { title nlpPlan } goals { title description } } }")["data"]["home"]
    assert [entry["nlpPlan"] for entry in home["agenda"]] == [plan, None]


def test_absent_and_forbidden_are_the_same_bytes(member: Edge, places: dict[str, str]):
    goal, task = places["$goal"], places["$task"]
    member.sign_in()
    absent = {goal: goal[:8] + "0000" + goal[12:], task: task[:8] + "0000" + task[12:]}

    operations = ["goal", "tasks", "task", "archiveGoal", "markTaskDone", "reopenTask", "deleteTask"]
    for operation, (there, nowhere) in itertools.product(operations, absent.items()):
        answers = [member.gql(OPERATIONS[operation][0], {"x": place}) for place in (there, nowhere)]
        for answer in answers:
            answer["errors"][0]["extensions"].pop("traceId")
            answer.pop("extensions")
        assert answers[0] == answers[1]
        assert code_of(answers[0]) == "NOT_FOUND"


def test_what_one_operation_may_read_is_bounded(member: Edge, places: dict[str, str]):
    with override_settings(GRAPHQL_LIMITS={"max_round_trips": 20}):
        answer = member.gql(
            "{ " + " ".join(f'g{n}: goal(id: "{places["$goal"]}") {{ tasks {{ edges {{ cursor }} }} }}' for n in range(20)) + " }"
        )

    assert code_of(answer) == "TOO_COMPLEX"


def test_long_lists_cost_what_they_may_hold(member: Edge):
    document = "{ " + " ".join(f"h{n}: home {{ agenda {{ id title }} }}" for n in range(25)) + " }"

    assert member.gql(document)["extensions"]["cost"]["requested"] > 2500
