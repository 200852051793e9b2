package signature

allow if true
