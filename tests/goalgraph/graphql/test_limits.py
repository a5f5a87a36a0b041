"""Hostile documents cost the server at most 100 ms of CPU each, and are told why."""

import time
from collections.abc import Callable

import pytest
from django.utils.module_loading import import_string
from graphql import GraphQLSchema, get_introspection_query, parse
from hypothesis import given
from hypothesis import strategies as st

from goalgraph.errors import GoalGraphError, Invalid, TooComplex
from goalgraph.graphql.documents import Documents, Prepared, Refused
from goalgraph.graphql.errors import coded
from goalgraph.graphql.limits import Limits, cost_of, scan, weigh
from tests.goalgraph.conftest import SAMPLE_SCHEMA

BOUNDS = Limits()
MOST_CPU = 0.1


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return import_string(SAMPLE_SCHEMA).graphql_schema


def fresh(schema: GraphQLSchema) -> Documents:
    return Documents(schema, BOUNDS, size=10, suggest=False)


def codes(work: Callable[[], object]) -> set[str]:
    """The codes of what `work` refuses, empty when it does not."""
    try:
        work()
    except Refused as refused:
        return {coded(error).code for error in refused.errors}
    except GoalGraphError as error:
        return {error.code}
    return set()


def each(n: int, pattern: str) -> str:
    return " ".join(pattern.format(i=i, next=i + 1) for i in range(n))


HOSTILE = {
    "deep": "{me{" + "friends{" * 500 + "id" + "}" * 500 + "}}",
    "deep below the nesting limit": "{me{" + "friends{" * 25 + "id" + "}" * 25 + "}}",
    "1,000 aliases": "{" + each(1000, "a{i}: me{{id}}") + "}",
    "1,000 aliases in one field": "{me{" + each(1000, "a{i}: id") + "}}",
    "300 aliases": "{me{" + each(300, "a{i}: id") + "}}",
    "10,000 times one field": "{me{" + "id " * 10_000 + "}}",
    "1,400 times one field": "{me{" + "id " * 1400 + "}}",
    "many root fields": "{" + "ok " * 1000 + "}",
    "doubling fragments": "{me{...f0}}" + each(45, "fragment f{i} on Member{{...f{next} ...f{next}}}") + " fragment f45 on Member{id}",
    "doubling fragments with fields": "{me{...f0}}"
    + each(30, "fragment f{i} on Member{{friends{{...f{next}}} a{i}:friends{{...f{next}}}}}")
    + " fragment f30 on Member{id}",
    "doubling fragments, small": "{me{...f0}}"
    + each(12, "fragment f{i} on Member{{...f{next} ...f{next}}}")
    + " fragment f12 on Member{id}",
    "a fragment in itself": "{me{...f}} fragment f on Member{...f}",
    "fragments in a circle": "{me{...a}} fragment a on Member{friends{...b}} fragment b on Member{friends{...a}}",
    "an unused circle": "{ok} fragment a on Member{friends{...b}} fragment b on Member{friends{...a}}",
    "300 KB": "{me{" + "id " * 100_000 + "}}",
    "300 KB of comment": "#" + "x" * 300_000 + "\n{ok}",
    "comments": "#\n" * 15_000 + "{ok}",
    "directive flood": "{ok " + "@skip(if:false) " * 1000 + "}",
    "directives, repeated": "{ok " + "@skip(if:false) " * 29 + "}",
    "directives, unknown": "{ok " + each(29, "@d{i}") + "}",
    "nested list": "{user(id:" + "[" * 5000 + "]" * 5000 + "){id}}",
    "nested object": "{user(id:" + "{a:" * 25 + "1" + "}" * 25 + "){id}}",
    "objects of the same name": "{me{goals(input:{" + 'title:"a" ' * 460 + "}){id}}}",
    "unknown fields": "{me{" + each(1400, "x{i}") + "}}",
    "unknown arguments": "{me{goals(" + each(480, "a{i}:{i}") + "){id}}}",
    "repeated arguments": "{me{goals(" + each(480, "first:{i}") + "){id}}}",
    "unused variables": "query(" + each(370, "$a{i}:Int") + "){ok}",
    "repeated variables": "query(" + "$a:Int " * 370 + "){ok}",
    "unused fragments": "{ok}" + each(50, "fragment f{i} on Member{{id}}"),
    "300 fragments": "{ok}" + each(300, "fragment f{i} on Member{{id}}"),
    "300 operations": each(300, "query q{i}{{ok}}"),
    "unknown fragments": "{me{" + each(700, "...f{i}") + "}}",
    "all fragments against all": "{me{" + each(50, "...f{i}") + "}}" + each(50, "fragment f{i} on Member{{id tags nickname id tags}}"),
    "conflicts": "{me{" + "x:id x:nickname " * 24 + "}}",
    "lists of lists of lists": "{me{friends{friends{friends{friends{id}}}}}}",
    "a page of a billion": "{feed(first:1000000000){nodes{id}}}",
    "a page beyond all numbers": "{feed(first:" + "9" * 5000 + "){nodes{id}}}",
    "introspection, 20 times": "{" + each(20, "a{i}:__schema{{types{{name fields{{name}}}}}}") + "}",
    "introspection in circles": "{__schema{types{" + "fields{type{" * 6 + "name" + "}}" * 6 + "}}}",
    "NUL": "\0" * 30_000,
    "quotes": '"' * 30_000,
    "an endless block string": '"""' + '\\"""' * 7000,
    "open braces": "{" * 30_000,
    "open braces, few": "{a" * 29,
    "names": "a " * 1400,
    "type definitions": "type A{" + "a:Int " * 400 + "}",
    "only a fragment": "fragment f on Member{id}",
    "nothing": "#",
}


@pytest.mark.parametrize("query", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_document_is_refused_within_100_ms_of_cpu(schema: GraphQLSchema, query: str) -> None:
    times = []
    for _ in range(3):
        documents = fresh(schema)
        started = time.process_time()
        found = codes(lambda: documents.prepare(query))  # noqa: B023 - runs at once
        times.append(time.process_time() - started)
        assert found
        assert found <= {"TOO_COMPLEX", "INVALID"}
    assert min(times) <= MOST_CPU


LARGEST_ALLOWED = {
    "aliases": "{me{" + each(50, "a{i}: id") + "}}",
    "fields": "{me{" + "id nickname tags " * 50 + "}}",
    "a chain of fragments": "{me{...f0}}" + each(49, "fragment f{i} on Member{{...f{next}}}") + " fragment f49 on Member{id}",
    "root fields": "{" + each(25, "a{i}:ok") + "}",
    "a page of 100": "{feed(first:100){edges{cursor node{id title tasks{id}}} pageInfo{hasNextPage}}}",
    "introspection": get_introspection_query(),
    "full introspection": get_introspection_query(
        specified_by_url=True, directive_is_repeatable=True, schema_description=True, input_value_deprecation=True
    ),
}


@pytest.mark.parametrize("query", LARGEST_ALLOWED.values(), ids=LARGEST_ALLOWED)
def test_a_large_but_sensible_document_is_served(schema: GraphQLSchema, query: str) -> None:
    assert codes(lambda: fresh(schema).prepare(query)) == set()


def prepared(schema: GraphQLSchema, query: str) -> Prepared:
    return fresh(schema).prepare(query)


def cost(schema: GraphQLSchema, query: str, **variables: object) -> int:
    found = prepared(schema, query)
    return cost_of(schema, found.document, found.operation(None), variables, BOUNDS)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{ok}", 1),
        ("{me{id}}", 2),
        ("{me{goals(first:5){id}}}", 2 + 1 + 5),
        ("{me{friends{id}}}", 2 + 1 + 10),
        ("{feed(first:7){nodes{id}}}", 2 + 1 + 7),
        ("{feed(first:7){...n}} fragment n on Feed{nodes{id}}", 2 + 1 + 7),
        ("{feed(first:7){... on Feed{nodes{id}}}}", 2 + 1 + 7),
        ("{feed(last:7){edges{node{id}}}}", 2 + 1 + 7 * 2),
        ("{feed{nodes{id}}}", 2 + 1 + 10),
        ("{feed(first:-1){nodes{id}}}", 2 + 1 + 10),
        ("{feed(first:3){nodes{tasks{id}}}}", 2 + 1 + 3 * (1 + 1 + 10)),
        ("{feed(first:3){pageInfo{hasNextPage} nodes{id}}}", 2 + 1 + 1 + 3),
        ('mutation{save(input:{title:"a"}){title}}', 1 + 10 + 1),
    ],
)
def test_cost_counts_objects_and_multiplies_by_the_length_of_lists(schema: GraphQLSchema, query: str, expected: int) -> None:
    assert cost(schema, query) == expected


def test_cost_follows_variables(schema: GraphQLSchema) -> None:
    query = "query($n:Int=4){feed(first:$n){nodes{id}}}"
    assert cost(schema, query) == 3 + 4
    assert cost(schema, query, n=50) == 3 + 50
    assert cost(schema, query, n=True) == 3 + 4
    with pytest.raises(TooComplex):
        cost(schema, query, n=10**9)


def test_the_cost_of_a_document_without_variables_is_known_beforehand(schema: GraphQLSchema) -> None:
    assert prepared(schema, "{feed(first:3){nodes{id}}}").operation(None).cost == 6
    assert prepared(schema, "query($n:Int){feed(first:$n){nodes{id}}}").operation(None).cost is None


def test_each_operation_is_weighed_and_found_by_name(schema: GraphQLSchema) -> None:
    found = prepared(schema, 'query a{ok} mutation b{save(input:{title:"x"}){title}}')
    assert found.operation("a").name == "ok"
    assert found.operation("b").cost == 12
    with pytest.raises(Invalid):
        found.operation(None)
    with pytest.raises(Invalid):
        found.operation("c")


def test_only_pure_introspection_counts_as_introspection(schema: GraphQLSchema) -> None:
    pure = ["{__schema{types{name}}}", "{__typename}", '{...i} fragment i on Query{__type(name:"Goal"){name}}']
    mixed = ["{__schema{types{name}} ok}", "{...i} fragment i on Query{__typename me{id}}", "{me{__typename}}"]
    assert all(prepared(schema, query).operation(None).introspects for query in pure)
    assert not any(prepared(schema, query).operation(None).introspects for query in mixed)


def test_the_cache_keeps_what_was_used_last_and_nothing_that_is_invalid(schema: GraphQLSchema) -> None:
    documents = Documents(schema, BOUNDS, size=2, suggest=False)
    for query in ("{ok}", "{me{id}}"):
        documents.prepare(query)
    assert documents.find("{ok}") is not None
    documents.prepare("{me{tags}}")
    assert [documents.find(query) is not None for query in ("{ok}", "{me{id}}", "{me{tags}}")] == [True, False, True]
    with pytest.raises(Refused):
        documents.prepare("{nothing}")
    assert documents.find("{nothing}") is None


def test_suggestions_are_for_developers(schema: GraphQLSchema) -> None:
    def message(*, suggest: bool) -> str:
        with pytest.raises(Refused) as refused:
            Documents(schema, BOUNDS, size=1, suggest=suggest).prepare("{me{nicknam}}")
        return refused.value.errors[0].message

    assert "Did you mean" in message(suggest=True)
    assert "nickname" not in message(suggest=False)


selections = st.recursive(
    st.sampled_from(["id", "a:id", "...f", "...g", "nickname", "__typename"]),
    lambda inner: st.builds(
        lambda head, parts: f"{head}{{{' '.join(parts)}}}",
        st.sampled_from(["friends", "goals(first:3)", "... on Member", "...", "x:friends", "feed(first:2)"]),
        st.lists(inner, min_size=1, max_size=4),
    ),
    max_leaves=30,
)


@given(st.lists(selections, min_size=1, max_size=4), selections, selections)
def test_weighing_never_fails_otherwise(schema: GraphQLSchema, root: list[str], f: str, g: str) -> None:
    """Any document that parses is weighed or refused with a code."""
    document = parse(f"{{me{{{' '.join(root)}}}}} fragment f on Member{{{f}}} fragment g on Member{{{g}}}")
    assert codes(lambda: weigh(schema, document, BOUNDS)) <= {"TOO_COMPLEX", "INVALID"}


@given(st.text(st.sampled_from('{}()[]"\\#@.:$!=| \n\tab10-'), max_size=300))
def test_any_text_is_served_or_refused_with_a_code(schema: GraphQLSchema, query: str) -> None:
    assert codes(lambda: fresh(schema).prepare(query)) <= {"TOO_COMPLEX", "INVALID"}


@given(st.lists(st.sampled_from(["{", "}", '"x y"', '"""a " b"""', "# } { \n", "name", "12.5e3", "...", "@", "$"]), max_size=60))
def test_scan_counts_tokens_as_the_parser_does(parts: list[str]) -> None:
    """One more token than allowed is refused, exactly as many are not; what stands in strings and comments nests nothing."""
    query = " ".join(part if part != "@" else "@ " for part in parts)
    bounds = Limits(tokens=len(parts), nesting=60, directives=60)
    assert codes(lambda: scan(query, bounds)) == set()
    if parts:
        assert codes(lambda: scan(query, Limits(tokens=len(parts) - 1, nesting=60, directives=60))) == {"TOO_COMPLEX"}
