# SBOMs: as referrers, attested unchanged, attached, and for a file on disk.
# Shown in: signing/other_types of versions 2 and 3.
cosign generate-key-pair
echo '{"sbom_path": "example.com/app.spdx.json", "sbom_hash": "sha256:0a1b2c"}' >sbom.predicate.json
cosign attest --type custom --predicate sbom.predicate.json $IMAGE
cosign verify-attestation --type custom $IMAGE --certificate-identity=$IDENTITY --certificate-oidc-issuer=$OIDC_ISSUER

echo '{"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "name": "app", "packages": []}' >app.spdx.json
echo '{"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": []}' >app.cdx.json
cosign attest --key cosign.key --type spdxjson --predicate app.spdx.json $IMAGE
cosign attest --key cosign.key --type cyclonedx --predicate app.cdx.json $IMAGE
cosign verify-attestation --key cosign.pub --type cyclonedx $IMAGE >app.cdx.intoto.jsonl
[ "$(jq -r .payload app.cdx.intoto.jsonl | base64 -d | jq -r .predicate.bomFormat)" = CycloneDX ]
cosign download attestation --predicate-type=https://spdx.dev/Document $IMAGE >downloaded
[ "$(jq -r .dsseEnvelope.payload downloaded | base64 -d | jq -r .predicate.name)" = app ]
refused cosign verify-attestation --key cosign.pub --type vuln $IMAGE

# Attached, which does not sign it: its tag is signed like an image.
cosign attach sbom --sbom app.spdx.json $IMAGE
cosign download sbom $IMAGE >fetched
cmp fetched app.spdx.json
SBOM=$(cosign triangulate --type sbom $IMAGE)
refused cosign verify --key cosign.pub $SBOM
cosign sign --key cosign.key $SBOM
cosign verify --key cosign.pub $SBOM

# On disk.
echo binary >app
cosign attest-blob --key cosign.key --type spdxjson --predicate app.spdx.json --bundle app.sigstore.json app
cosign verify-blob-attestation --key cosign.pub --type spdxjson --bundle app.sigstore.json app
refused cosign verify-blob-attestation --key cosign.pub --type cyclonedx --bundle app.sigstore.json app
echo other >app
refused cosign verify-blob-attestation --key cosign.pub --type spdxjson --bundle app.sigstore.json app
