# Attestations of a file: by key, by identity, from stdin, and with a statement from another program.
# Shown in: help of attest-blob and verify-blob-attestation.
cosign generate-key-pair
cosign generate-key-pair --output-key-prefix other
echo binary >blob
echo '{"buildDefinition": {"buildType": "https://ci.example/make", "externalParameters": {}}, "runDetails": {"builder": {"id": "https://ci.example"}}}' >predicate.json
cosign attest-blob --predicate predicate.json --type slsaprovenance1 --key cosign.key --bundle artifact.sigstore.json blob
cosign verify-blob-attestation --bundle artifact.sigstore.json --type slsaprovenance1 --key cosign.pub blob
refused cosign verify-blob-attestation --bundle artifact.sigstore.json --type slsaprovenance1 --key other.pub blob
refused cosign verify-blob-attestation --bundle artifact.sigstore.json --type slsaprovenance --key cosign.pub blob

cosign attest-blob --predicate predicate.json --type slsaprovenance1 --bundle artifact.sigstore.json --yes blob
cosign verify-blob-attestation --bundle artifact.sigstore.json --type slsaprovenance1 --certificate-identity $IDENTITY --certificate-oidc-issuer $OIDC_ISSUER blob
refused cosign verify-blob-attestation --bundle artifact.sigstore.json --type slsaprovenance1 --certificate-identity foo@example.com --certificate-oidc-issuer https://accounts.google.com blob
outdated 'a file or its digest, and a bundle, have to be named' eval 'echo "{}" | cosign attest-blob --predicate - --yes'

jq -n --arg digest "$(sha256sum blob | cut -d' ' -f1)" --slurpfile predicate predicate.json \
  '{_type: "https://in-toto.io/Statement/v1", subject: [{name: "blob", digest: {sha256: $digest}}], predicateType: "https://slsa.dev/provenance/v1", predicate: $predicate[0]}' >statement.json
cosign attest-blob --statement statement.json --key cosign.key --bundle statement.sigstore.json
cosign verify-blob-attestation --bundle statement.sigstore.json --type slsaprovenance1 --key cosign.pub blob
echo other >blob
refused cosign verify-blob-attestation --bundle statement.sigstore.json --type slsaprovenance1 --key cosign.pub blob
