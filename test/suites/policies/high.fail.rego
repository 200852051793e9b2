package signature

default allow = false

allow {
  input.predicate.scan.high == 0
}
