# What is attached to an image, and its removal.
# Shown in: signing/signing_with_containers (location and management).
cosign generate-key-pair
cosign tree $IMAGE
cosign sign --key cosign.key $IMAGE
cosign tree $IMAGE >tree
grep -q 'https://sigstore.dev/cosign/sign/v1' tree
cosign download signature $IMAGE | jq .
cosign triangulate $IMAGE
echo y | cosign clean $IMAGE
refused cosign verify --key cosign.pub $IMAGE
cosign sign --key cosign.key $IMAGE
echo n | refused cosign clean $IMAGE
cosign verify --key cosign.pub $IMAGE
cosign clean $IMAGE --force=true
refused cosign verify --key cosign.pub $IMAGE
