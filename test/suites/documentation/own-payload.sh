# A payload of another type, signed unchanged: its claims are not checked.
# Shown in: USAGE.md of version 1, signing_with_containers of version 2, test/e2e_test_secrets_kms.sh.
export COSIGN_YES=true
cosign generate-key-pair
old='--new-bundle-format=false --use-signing-config=false --tlog-upload=false'
echo '{"not": "a claim"}' >README.md
cosign sign $old --key cosign.key --payload README.md $IMAGE
refused cosign verify --key cosign.pub --insecure-ignore-tlog $IMAGE
cosign verify --check-claims=false --key cosign.pub --insecure-ignore-tlog $IMAGE >verified
cosign generate-key-pair --output-key-prefix other
refused cosign verify --check-claims=false --key other.pub --insecure-ignore-tlog $IMAGE

# Not uploaded: the signature is kept in a file, or printed.
OTHER=$(image other)
outdated 'a bundle has to be named' cosign sign --upload=false --output-signature demo.sig --output-certificate demo.crt $OTHER
cosign sign $old --key cosign.key --upload=false --output-signature demo.sig --output-payload demo.payload $OTHER
cosign verify --key cosign.pub --insecure-ignore-tlog --signature demo.sig --payload demo.payload $OTHER
COSIGN_KEY=cosign.pub COSIGN_SIGNATURE=demo.sig cosign verify --insecure-ignore-tlog --payload demo.payload $OTHER
refused cosign verify --key other.pub --insecure-ignore-tlog --signature demo.sig --payload demo.payload $OTHER
refused cosign verify --key cosign.pub --insecure-ignore-tlog $OTHER
cosign attach signature --signature demo.sig --payload demo.payload $OTHER
cosign verify --key cosign.pub --insecure-ignore-tlog $OTHER
