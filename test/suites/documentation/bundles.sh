# Bundles: created from files of older versions, inspected and upgraded.
# Shown in: verifying/verify, help of bundle create.
export COSIGN_YES=true
cosign generate-key-pair
echo blob >blob
old='--new-bundle-format=false --use-signing-config=false'
cosign sign-blob $old --fulcio-url $FULCIO --oidc-issuer $OIDC_ISSUER --rekor-url $REKOR --output-signature blob.sig --output-certificate blob.crt blob
cosign bundle create --artifact blob --signature blob.sig --certificate blob.crt --rekor-url $REKOR --out bundle.sigstore.json
cosign verify-blob --bundle bundle.sigstore.json --certificate-identity $IDENTITY --certificate-oidc-issuer $OIDC_ISSUER blob
refused cosign verify-blob --bundle bundle.sigstore.json --certificate-identity name@example.com --certificate-oidc-issuer $OIDC_ISSUER blob
cosign bundle inspect bundle.sigstore.json
cosign bundle upgrade bundle.sigstore.json --out upgraded.sigstore.json
cosign verify-blob --bundle upgraded.sigstore.json --certificate-identity $IDENTITY --certificate-oidc-issuer $OIDC_ISSUER blob
echo other >blob
refused cosign verify-blob --bundle upgraded.sigstore.json --certificate-identity $IDENTITY --certificate-oidc-issuer $OIDC_ISSUER blob
