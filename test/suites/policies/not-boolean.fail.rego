package signature

allow = "yes"
