package signature

allow {
  time.parse_rfc3339_ns(input.predicate.when) < time.parse_rfc3339_ns("2026-02-01T00:00:00Z")
  input.predicate.scan.critical == 0
}
