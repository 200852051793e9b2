# An image, signed and verified by identity, exactly and by patterns; two signatures are both found.
# Shown in: quickstart, cosign's README, verifying/verify.
refused cosign verify $IMAGE --certificate-identity=$IDENTITY --certificate-oidc-issuer=$OIDC_ISSUER
cosign sign $IMAGE
cosign verify $IMAGE --certificate-identity=$IDENTITY --certificate-oidc-issuer=$OIDC_ISSUER
cosign verify $IMAGE --certificate-identity-regexp=.* --certificate-oidc-issuer-regexp=.*
cosign verify $IMAGE --certificate-identity-regexp '^alice@.*$' --certificate-oidc-issuer "$OIDC_ISSUER" -o text >claims
grep -q "${IMAGE#*@}" claims

cosign sign $IMAGE
[ "$(cosign verify $IMAGE --certificate-identity=$IDENTITY --certificate-oidc-issuer=$OIDC_ISSUER | jq length)" = 2 ]

refused cosign verify $IMAGE --certificate-identity=name@example.com --certificate-oidc-issuer=$OIDC_ISSUER
refused cosign verify $IMAGE --certificate-identity-regexp '^bob@.*$' --certificate-oidc-issuer "$OIDC_ISSUER"
refused cosign verify $IMAGE --certificate-identity=$IDENTITY
refused cosign verify $IMAGE
