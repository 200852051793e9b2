# Using another Sigstore than the public one, with and without a checksum of its root.
# Shown in: help of initialize, system_config/custom_components, cosign's kind-verify-attestation workflow.
rm -r ~/.sigstore
cosign initialize --mirror $MIRROR --root $ROOT_JSON
echo blob >blob
cosign sign-blob --yes --bundle bundle.sigstore.json blob
who="--certificate-identity=$IDENTITY --certificate-oidc-issuer=$OIDC_ISSUER"
cosign verify-blob $who --bundle bundle.sigstore.json blob

rm -r ~/.sigstore
cosign initialize --mirror=$MIRROR --root=$MIRROR/root.json --root-checksum $(sha256sum <$ROOT_JSON | cut -d' ' -f1)
cosign verify-blob $who --bundle bundle.sigstore.json blob
refused cosign initialize --mirror $MIRROR --root $MIRROR/root.json --root-checksum $(sha256sum </dev/null | cut -d' ' -f1)
refused cosign initialize --mirror $MIRROR/nothing-here --root $ROOT_JSON

# A repository copied to disk, and a cache elsewhere.
cp -r ${ROOT_JSON%/*} repository
otherwise 'cosign takes its older client for it' cosign initialize --root ${PWD}/repository/root.json --mirror file://${PWD}/repository
current=$(ls -t ${ROOT_JSON%/*}/targets/*.trusted_root.json | head -n 1) # a repository that was published again keeps the old ones
cosign verify-blob $who --trusted-root repository/targets/${current##*/} --bundle bundle.sigstore.json blob
better 'cosign cannot read a mirror on disk later' cosign verify-blob $who --bundle bundle.sigstore.json blob
refused cosign verify-blob --certificate-identity=name@example.com --certificate-oidc-issuer=$OIDC_ISSUER --bundle bundle.sigstore.json blob
refused cosign initialize --root ${PWD}/repository/root.json --mirror file://${PWD}/nowhere
TUF_ROOT=$PWD/cache cosign initialize --mirror $MIRROR --root $ROOT_JSON
TUF_ROOT=$PWD/cache cosign verify-blob $who --bundle bundle.sigstore.json blob
rm -r ~/.sigstore
TUF_MIRROR=$MIRROR TUF_ROOT_JSON=$ROOT_JSON cosign verify-blob $who --bundle bundle.sigstore.json blob
TUF_MIRROR=$MIRROR TUF_ROOT_JSON=$ROOT_JSON refused cosign verify-blob --certificate-identity=name@example.com --certificate-oidc-issuer=$OIDC_ISSUER --bundle bundle.sigstore.json blob
