"""Identity: a bearer token becomes an `Actor`.

`verifier`, `jwks`, `claims`, `actor` and `authorizer` import no Django, so that the Lambda authorizer starts quickly; `access` builds the
verifier from Django's settings for the web process.
"""
