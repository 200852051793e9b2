# The last resort: keys and certificates of private services, one by one, in the environment.
# Shown in: system_config/custom_components, public_deployment of version 2.
rm -r ~/.sigstore
export COSIGN_YES=true
export SIGSTORE_ROOT_FILE=$FULCIO_CHAIN SIGSTORE_CT_LOG_PUBLIC_KEY_FILE=$CT_LOG_KEY SIGSTORE_REKOR_PUBLIC_KEY=$REKOR_KEY
old='--new-bundle-format=false --use-signing-config=false'
outdated 'addresses of services and a signing config exclude each other' cosign sign --oidc-issuer "$OIDC_ISSUER" \
    --fulcio-url "$FULCIO" \
    --rekor-url "$REKOR" \
    $IMAGE
cosign sign $old --oidc-issuer "$OIDC_ISSUER" \
    --fulcio-url "$FULCIO" \
    --rekor-url "$REKOR" \
    $IMAGE
cosign verify --new-bundle-format=false --rekor-url "$REKOR" $IMAGE --certificate-identity=$IDENTITY --certificate-oidc-issuer=$OIDC_ISSUER
refused cosign verify --new-bundle-format=false --rekor-url "$REKOR" $IMAGE --certificate-identity=name@example.com --certificate-oidc-issuer=$OIDC_ISSUER
SIGSTORE_REKOR_PUBLIC_KEY=$REKOR_V2_KEY refused cosign verify --new-bundle-format=false --rekor-url "$REKOR" $IMAGE --certificate-identity=$IDENTITY --certificate-oidc-issuer=$OIDC_ISSUER
SIGSTORE_CT_LOG_PUBLIC_KEY_FILE=$REKOR_KEY refused cosign verify --new-bundle-format=false --rekor-url "$REKOR" $IMAGE --certificate-identity=$IDENTITY --certificate-oidc-issuer=$OIDC_ISSUER
SIGSTORE_ROOT_FILE=$TSA_CHAIN refused cosign verify --new-bundle-format=false --rekor-url "$REKOR" $IMAGE --certificate-identity=$IDENTITY --certificate-oidc-issuer=$OIDC_ISSUER

# The signature and its certificate in files.
cosign sign $old --oidc-issuer "$OIDC_ISSUER" --fulcio-url "$FULCIO" --rekor-url "$REKOR" --output-signature sig.out --output-certificate cert.out $IMAGE
who="--certificate-identity=$IDENTITY --certificate-oidc-issuer=$OIDC_ISSUER"
refused cosign verify --new-bundle-format=false --rekor-url "$REKOR" --signature sig.out $who $IMAGE
cosign verify --new-bundle-format=false --rekor-url "$REKOR" --signature sig.out --certificate cert.out $who $IMAGE
refused cosign verify --new-bundle-format=false --rekor-url "$REKOR" --signature sig.out --certificate cert.out --certificate-identity=name@example.com --certificate-oidc-issuer=$OIDC_ISSUER $IMAGE
