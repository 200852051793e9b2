# Private services, in a signing config and a trusted root.
# Shown in: signing/overview (custom infrastructure), custom_components, cosign's kind-verify-attestation workflow.
rm -r ~/.sigstore
cosign signing-config create \
    --fulcio="url=$FULCIO,api-version=1,start-time=2024-01-01T00:00:00Z,operator=example.com" \
    --rekor="url=$REKOR_V2,api-version=2,start-time=2024-01-01T00:00:00Z,operator=example.com" \
    --rekor-config="ANY" \
    --oidc-provider="url=$OIDC_ISSUER,api-version=1,start-time=2024-01-01T00:00:00Z,operator=example.com" \
    --tsa="url=$TSA,api-version=1,start-time=2024-01-01T00:00:00Z,operator=example.com" \
    --tsa-config="ANY" \
    --output-file custom.signingconfig.json
cosign trusted-root create \
    --fulcio="url=$FULCIO,certificate-chain=$FULCIO_CHAIN" \
    --rekor="url=$REKOR_V2,public-key=$REKOR_V2_KEY,start-time=2024-01-01T00:00:00Z,origin=127.0.0.1" \
    --ctfe="url=https://ctfe.example.com,public-key=$CT_LOG_KEY,start-time=2024-01-01T00:00:00Z" \
    --tsa="url=$TSA,certificate-chain=$TSA_CHAIN" \
    --out trusted-root.json
cosign trusted-root create \
    --fulcio="url=$FULCIO,certificate-chain=$FULCIO_CHAIN,end-time=2025-01-01T00:00:00Z" \
    --rekor="url=$REKOR_V2,public-key=$REKOR_V2_KEY,start-time=2024-01-01T00:00:00Z,origin=127.0.0.1" \
    --ctfe="url=https://ctfe.example.com,public-key=$CT_LOG_KEY,start-time=2024-01-01T00:00:00Z" \
    --tsa="url=$TSA,certificate-chain=$TSA_CHAIN" \
    --out ended.json
cosign sign --signing-config custom.signingconfig.json --trusted-root trusted-root.json $IMAGE
cosign verify --trusted-root trusted-root.json --certificate-identity=$IDENTITY --certificate-oidc-issuer=$OIDC_ISSUER $IMAGE
refused cosign verify --trusted-root ended.json --certificate-identity=$IDENTITY --certificate-oidc-issuer=$OIDC_ISSUER $IMAGE
refused cosign verify --trusted-root trusted-root.json --certificate-identity=name@example.com --certificate-oidc-issuer=$OIDC_ISSUER $IMAGE

# As in the test of a cluster: Rekor 1, an image, an attestation and a file.
cosign signing-config create \
    --fulcio="url=${FULCIO},api-version=1,start-time=2024-01-01T00:00:00Z,operator=sigstore.dev" \
    --rekor="url=${REKOR},api-version=1,start-time=2024-01-01T00:00:00Z,operator=sigstore.dev" \
    --rekor-config="ANY" \
    --tsa="url=${TSA},api-version=1,start-time=2024-01-01T00:00:00Z,operator=sigstore.dev" \
    --tsa-config="EXACT:1" \
    --out signingconfig.json
cosign trusted-root create --fulcio="url=$FULCIO,certificate-chain=$FULCIO_CHAIN" \
    --rekor="url=$REKOR,public-key=$REKOR_KEY,start-time=2024-01-01T00:00:00Z" \
    --ctfe="url=https://ctfe.example.com,public-key=$CT_LOG_KEY,start-time=2024-01-01T00:00:00Z" \
    --tsa="url=$TSA,certificate-chain=$TSA_CHAIN" --out trustedroot
OIDC_TOKEN=$SIGSTORE_ID_TOKEN; unset SIGSTORE_ID_TOKEN
who="--certificate-identity $IDENTITY --certificate-oidc-issuer $OIDC_ISSUER"
OTHER=$(image other)
echo -n 'foobar' > ./predicate-file
echo 'read me' >README.md
cosign sign --signing-config=signingconfig.json --trusted-root=trustedroot --yes --allow-http-registry $OTHER --identity-token ${OIDC_TOKEN}
cosign attest --predicate ./predicate-file --signing-config=signingconfig.json --trusted-root=trustedroot --allow-http-registry --yes $OTHER --identity-token ${OIDC_TOKEN}
cosign sign-blob README.md --signing-config=signingconfig.json --trusted-root=trustedroot --bundle blob.sigstore.json --yes --identity-token ${OIDC_TOKEN}
cosign verify --trusted-root=trustedroot --allow-http-registry $OTHER $who
cosign verify-attestation --trusted-root=trustedroot --allow-http-registry $OTHER $who
cosign verify-blob README.md --trusted-root=trustedroot --bundle blob.sigstore.json $who
refused cosign verify --trusted-root=trusted-root.json --allow-http-registry $OTHER $who
