# Checking a download: with openssl from a bundle, with the release's key, and by the identity that built it.
# Shown in: system_config/installation (verifying cosign).
cosign generate-key-pair
cp cosign.pub artifact.pub
head -c 300000 /dev/urandom >program
cosign sign-blob --key cosign.key --bundle program-kms.sigstore.json program
cosign sign-blob --bundle program.sigstore.json program

cat program-kms.sigstore.json | jq -r .messageSignature.signature | base64 -d > program-kms.sig.decoded
openssl dgst -sha256 -verify artifact.pub -signature program-kms.sig.decoded program
cosign verify-blob --bundle program-kms.sigstore.json --key artifact.pub program
cosign verify-blob program --bundle program.sigstore.json \
  --certificate-identity $IDENTITY --certificate-oidc-issuer $OIDC_ISSUER
refused cosign verify-blob --bundle program.sigstore.json --key artifact.pub program
refused cosign verify-blob program --bundle program-kms.sigstore.json \
  --certificate-identity $IDENTITY --certificate-oidc-issuer $OIDC_ISSUER
printf x >>program
refused cosign verify-blob --bundle program-kms.sigstore.json --key artifact.pub program
