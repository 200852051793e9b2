# A file, signed and verified by identity: in the quickstart, in the README, and in a CI job.
# Shown in: quickstart, verifying/verify, cosign's README.
echo 'to be released' >file.txt
cosign sign-blob file.txt --bundle artifact.sigstore.json --yes
cosign verify-blob file.txt --bundle artifact.sigstore.json \
  --certificate-identity=$IDENTITY --certificate-oidc-issuer=$OIDC_ISSUER
cosign verify-blob --bundle artifact.sigstore.json --certificate-identity-regexp ".*" --certificate-oidc-issuer-regexp ".*" file.txt
[ "$(jq -r .mediaType artifact.sigstore.json)" = application/vnd.dev.sigstore.bundle.v0.3+json ]

refused cosign verify-blob file.txt --bundle artifact.sigstore.json \
  --certificate-identity=name@example.com --certificate-oidc-issuer=$OIDC_ISSUER
refused cosign verify-blob file.txt --bundle artifact.sigstore.json \
  --certificate-identity=$IDENTITY --certificate-oidc-issuer=https://accounts.example.com
refused cosign verify-blob file.txt --bundle artifact.sigstore.json
echo 'exchanged on the way' >file.txt
refused cosign verify-blob file.txt --bundle artifact.sigstore.json \
  --certificate-identity=$IDENTITY --certificate-oidc-issuer=$OIDC_ISSUER
