# A predicate of cosign's custom type, and policies for it in CUE and in Rego.
# Shown in: verifying/attestation, signing_with_containers, help of attest.
cosign generate-key-pair
echo foo >predicate
cosign attest --predicate predicate --key cosign.key $IMAGE
cosign verify-attestation --key cosign.pub $IMAGE | jq -r .payload | base64 -d | jq . >statement
[ "$(jq -r .predicateType statement)" = https://cosign.sigstore.dev/attestation/v1 ]
[ "$(jq -r .predicate.Data statement)" = foo ]

cat >young.cue <<'CUE'
import "time"

limit: time.Parse(time.RFC3339, "2049-01-01T00:00:00Z")
predicateType: "https://cosign.sigstore.dev/attestation/v1"
predicate: {
	Data:      "foo\n"
	Timestamp: <limit
}
CUE
sed 's/2049/2001/' young.cue >old.cue
cosign verify-attestation --policy young.cue --key cosign.pub $IMAGE
refused cosign verify-attestation --policy old.cue --key cosign.pub $IMAGE

cat >says-foo.rego <<'REGO'
package signature

default allow = false

allow {
	input.predicate.Data == "foo\n"
	time.parse_rfc3339_ns(input.predicate.Timestamp) < time.parse_rfc3339_ns("2049-01-01T00:00:00Z")
}
REGO
sed 's/"foo/"bar/' says-foo.rego >says-bar.rego
cosign verify-attestation --policy says-foo.rego --key cosign.pub $IMAGE
refused cosign verify-attestation --policy says-bar.rego --key cosign.pub $IMAGE
refused cosign verify-attestation --policy young.cue --policy says-bar.rego --key cosign.pub $IMAGE

# With one dash, as on older pages; from stdin; with a type that was not attested.
cosign attest --key cosign.key -predicate predicate $IMAGE
echo '{"read": "from stdin"}' | cosign attest --key cosign.key --predicate - $IMAGE
[ "$(cosign verify-attestation -key cosign.pub $IMAGE | wc -l)" = 3 ]
refused cosign verify-attestation --type slsaprovenance --key cosign.pub $IMAGE
outdated 'the value of a switch is not a word of its own' cosign attest --predicate predicate --type custom --key cosign.key --no-upload true $IMAGE

# By identity.
echo '{"foo": "bar", "baz": "bat"}' >attest.predicate.json
cosign attest --type custom --predicate attest.predicate.json $IMAGE
cosign verify-attestation $IMAGE --certificate-identity=$IDENTITY --certificate-oidc-issuer=$OIDC_ISSUER
refused cosign verify-attestation $IMAGE --certificate-identity=name@example.com --certificate-oidc-issuer=$OIDC_ISSUER
