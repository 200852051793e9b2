# Signatures and attestations, downloaded and attached to a copy of the image.
# Shown in: help of download and attach, TestSignDownloadAttachNewBundle, TestAttestDownloadAttachNewBundle and TestSignVerifyUploadFalse of cosign.
cosign generate-key-pair
COPY=$(image copy)
echo '{"buildType": "x", "builder": {"id": "2"}}' >attestation.slsa.json
[ -z "$(cosign download attestation $IMAGE)" ]
refused cosign download signature $IMAGE
cosign sign --key cosign.key --bundle output.bundle $IMAGE
cosign tree $IMAGE | grep -q sha256:$(sha256sum <output.bundle | cut -d' ' -f1)
cosign attest --key cosign.key --type slsaprovenance --predicate attestation.slsa.json $IMAGE

cosign download attestation --predicate-type=https://slsa.dev/provenance/v0.2 $IMAGE >attestation.sigstore.json
cosign attach attestation --attestation attestation.sigstore.json $COPY
cosign verify-attestation --key cosign.pub --type slsaprovenance $COPY
safer 'an attestation is no signature' cosign verify --key cosign.pub $COPY
cosign attach signature --payload output.bundle $COPY
cosign verify --key cosign.pub $COPY
cosign download signature $COPY | head -n 1 | jq -e .verificationMaterial

# Attached to another image they do not verify.
crane mutate --label other=yes $IMAGE -t $REGISTRY/app:other >/dev/null 2>&1
OTHER=$REGISTRY/app@$(crane digest $REGISTRY/app:other)
cosign attach signature --payload output.bundle $OTHER
cosign attach attestation --attestation attestation.sigstore.json $OTHER
refused cosign verify --key cosign.pub $OTHER
refused cosign verify-attestation --key cosign.pub --type slsaprovenance $OTHER
