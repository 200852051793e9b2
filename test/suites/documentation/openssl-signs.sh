# openssl signs, cosign stores the signature in the registry and verifies it; and the other way round.
# Shown in: signing/signing_with_containers of version 2 (openssl, gcloud kms, aws kms), EXAMPLES.md of version 1.
openssl ecparam -name prime256v1 -genkey -noout -out openssl.key
openssl ec -in openssl.key -pubout -out openssl.pub 2>/dev/null
cosign generate $IMAGE > payload.json
cosign generate --output-file=again.json $IMAGE
cmp payload.json again.json
openssl dgst -sha256 -sign openssl.key -out payload.sig payload.json
cat payload.sig | base64 -w 0 > payloadbase64.sig
cosign attach signature --payload payload.json --signature payloadbase64.sig $IMAGE
cosign verify --key openssl.pub --insecure-ignore-tlog $IMAGE
refused cosign verify --key openssl.pub $IMAGE
cosign generate-key-pair
refused cosign verify --key cosign.pub --insecure-ignore-tlog $IMAGE

# Through pipes, by the signature itself, and with annotations.
OTHER=$(image other)
cosign generate -a foo=bar $OTHER > payload.json
openssl dgst -sha256 -sign openssl.key payload.json | base64 -w 0 | cosign attach signature --payload payload.json --signature - $OTHER
cosign verify --key openssl.pub --insecure-ignore-tlog -a foo=bar $OTHER
outdated "a signature is a file, or - for stdin" cosign attach signature $IMAGE --signature $(< payloadbase64.sig) --payload again.json

# Downloaded again, and verified with openssl.
otherwise 'certificates are shown as they are' cosign download signature $IMAGE > signatures.json
cat signatures.json | tail -1 | jq -r .Payload | base64 -d > payload
cat signatures.json | tail -1 | jq -r .Base64Signature | base64 -d > signature
openssl dgst -sha256 -verify openssl.pub -signature signature payload
cmp payload again.json

# A correctly signed payload for another image does not verify for this one.
THIRD=$(image third)
cosign generate $(cosign triangulate $OTHER) > payload.json
openssl dgst -sha256 -sign openssl.key payload.json | base64 -w 0 | cosign attach signature --payload payload.json --signature - $THIRD
refused cosign verify --key openssl.pub --insecure-ignore-tlog $THIRD
cosign verify --key openssl.pub --insecure-ignore-tlog --check-claims=false $THIRD
