"""What a good developer writes in an afternoon with Django, graphene-django and the ORM: the home screen, on SQLite.

The yardstick of `bench_home`. Idiomatic and honest: `DjangoObjectType`, three SQL queries, indexes, the middleware of `startproject`,
a bearer token checked by PyJWT with a key that is loaded once.
"""
