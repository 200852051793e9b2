# A registry that knows Docker's media types only.
# Shown in: system_config/registry_support, test/e2e_test_secrets.sh.
export COSIGN_YES=true
cosign generate-key-pair
old='--new-bundle-format=false --use-signing-config=false --tlog-upload=false'
COSIGN_DOCKER_MEDIA_TYPES=1 cosign sign $old --key cosign.key $IMAGE
cosign verify --key cosign.pub --insecure-ignore-tlog $IMAGE
legacy_manifest=$(crane manifest $(cosign triangulate $IMAGE))
echo $legacy_manifest | grep -q "application/vnd.docker.distribution.manifest.v2+json"
echo $legacy_manifest | grep -q "application/vnd.docker.container.image.v1+json"
cosign generate-key-pair --output-key-prefix other
refused cosign verify --key other.pub --insecure-ignore-tlog $IMAGE
COSIGN_DOCKER_MEDIA_TYPES=1 cosign sign --key cosign.key $IMAGE
cosign verify --key cosign.pub $IMAGE
