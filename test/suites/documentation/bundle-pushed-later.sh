# Signed without writing to the registry; the bundle pushed afterwards by another tool, and found by verify.
# Shown in: signing/signing_with_containers (skip uploading, upload later).
cosign sign --bundle=bundle.sigstore.json --upload=false $IMAGE
refused cosign verify $IMAGE --certificate-identity=$IDENTITY --certificate-oidc-issuer=$OIDC_ISSUER
oras attach --plain-http --artifact-type=application/vnd.dev.sigstore.bundle.v0.3+json $IMAGE bundle.sigstore.json >/dev/null
better 'cosign wants the media type of the file too' cosign verify $IMAGE --certificate-identity=$IDENTITY --certificate-oidc-issuer=$OIDC_ISSUER
otherwise 'to cosign there is none' refused cosign verify $IMAGE --certificate-identity=name@example.com --certificate-oidc-issuer=$OIDC_ISSUER

# With the file's media type as well.
OTHER=$(image other)
cosign generate-key-pair
cosign sign --key cosign.key --bundle=other.sigstore.json --upload=false $OTHER
oras attach --plain-http --artifact-type=application/vnd.dev.sigstore.bundle.v0.3+json $OTHER other.sigstore.json:application/vnd.dev.sigstore.bundle.v0.3+json >/dev/null
cosign verify $OTHER --key cosign.pub
cosign generate-key-pair --output-key-prefix another
refused cosign verify $OTHER --key another.pub
