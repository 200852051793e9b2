# An image is saved with its signatures, verified from disk without any network, and loaded into another registry.
# Shown in: cosign's README (air-gapped verification).
cosign generate-key-pair
cosign generate-key-pair --output-key-prefix other
CERT_IDENTITY=$IDENTITY CERT_OIDC_ISSUER=$OIDC_ISSUER
echo '{"foo": "bar"}' >predicate.json
cosign sign $IMAGE
cosign sign --key cosign.key $IMAGE
cosign attest --key cosign.key --predicate predicate.json $IMAGE
cosign save $IMAGE --dir ./path/to/dir
[ -s ./path/to/dir/index.json ]

trusted_root=$(find ~/.sigstore/root -name trusted_root.json)
offline cosign verify \
  --certificate-identity $CERT_IDENTITY \
  --certificate-oidc-issuer $CERT_OIDC_ISSUER \
  --offline=true \
  --trusted-root $trusted_root \
  --local-image ./path/to/dir
refused offline cosign verify \
  --certificate-identity name@example.com \
  --certificate-oidc-issuer $CERT_OIDC_ISSUER \
  --offline=true \
  --trusted-root $trusted_root \
  --local-image ./path/to/dir
offline cosign verify --key cosign.pub --offline --trusted-root $trusted_root --local-image ./path/to/dir
refused offline cosign verify --key other.pub --offline --trusted-root $trusted_root --local-image ./path/to/dir
offline cosign verify-attestation --key cosign.pub --offline --trusted-root $trusted_root --local-image ./path/to/dir
better 'the cache serves without the network' offline cosign verify --key cosign.pub --offline --local-image ./path/to/dir

cp -r ./path/to/dir altered
printf ' ' >>altered/blobs/sha256/${IMAGE#*@sha256:}
safer 'the image is another than its name says' offline cosign verify --key cosign.pub --offline --trusted-root $trusted_root --local-image altered
rm -r altered && cp -r ./path/to/dir altered
for signature in $(grep -l sigstore.bundle -r altered/blobs); do printf ' ' >>$signature; done
safer 'a signature is stored as another' offline cosign verify --key cosign.pub --offline --trusted-root $trusted_root --local-image altered

# On the machine without a network.
LOADED=$OTHER_REGISTRY/app:v1
better 'cosign leaves the blobs of the bundles behind' cosign load --dir ./path/to/dir $LOADED
better 'nothing was loaded' cosign verify --key cosign.pub --trusted-root $trusted_root $LOADED
better 'nothing was loaded' cosign verify --certificate-identity $CERT_IDENTITY --certificate-oidc-issuer $CERT_OIDC_ISSUER --trusted-root $trusted_root $LOADED
better 'nothing was loaded' cosign verify-attestation --key cosign.pub --trusted-root $trusted_root $LOADED
otherwise 'nothing was loaded' refused cosign verify --key other.pub --trusted-root $trusted_root $LOADED
