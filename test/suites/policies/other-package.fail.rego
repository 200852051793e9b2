package elsewhere

allow = true
