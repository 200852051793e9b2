package signature

import rego.v1

allow if startswith(input.predicate.builder.id, "https://ci.example/")
