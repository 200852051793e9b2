package signature

allow {
  1 / (input.predicate.scan.critical) > 0
}
