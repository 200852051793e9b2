# The same with the format of cosign 2: tags next to the image, which contain the log's signed entry timestamp.
# Shown in: cosign's README (air-gapped verification), flags of version 2.
export COSIGN_YES=true
cosign generate-key-pair
echo '{"foo": "bar"}' >predicate.json
old='--new-bundle-format=false --use-signing-config=false --rekor-url '$REKOR
cosign sign $old --fulcio-url $FULCIO --oidc-issuer $OIDC_ISSUER $IMAGE
cosign attest $old --key cosign.key --predicate predicate.json $IMAGE
cosign save $IMAGE --dir ./path/to/dir
trusted_root=$(find ~/.sigstore/root -name trusted_root.json)
offline cosign verify \
  --certificate-identity $IDENTITY \
  --certificate-oidc-issuer $OIDC_ISSUER \
  --offline=true \
  --new-bundle-format=false \
  --trusted-root $trusted_root \
  --local-image ./path/to/dir
refused offline cosign verify \
  --certificate-identity name@example.com \
  --certificate-oidc-issuer $OIDC_ISSUER \
  --offline=true \
  --new-bundle-format=false \
  --trusted-root $trusted_root \
  --local-image ./path/to/dir
offline cosign verify-attestation --key cosign.pub --offline --new-bundle-format=false --trusted-root $trusted_root --local-image ./path/to/dir

cosign load --dir ./path/to/dir $OTHER_REGISTRY/app:v1
cosign verify --certificate-identity $IDENTITY --certificate-oidc-issuer $OIDC_ISSUER $OTHER_REGISTRY/app:v1
cosign verify-attestation --key cosign.pub $OTHER_REGISTRY/app:v1
refused cosign verify --certificate-identity name@example.com --certificate-oidc-issuer $OIDC_ISSUER $OTHER_REGISTRY/app:v1
