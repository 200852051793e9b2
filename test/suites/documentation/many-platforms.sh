# An index and all its images, signed with one command and verified one by one.
# Shown in: help of sign, test/e2e_test_secrets.sh.
cosign generate-key-pair
for arch in amd64 arm64; do crane mutate --set-platform linux/$arch $IMAGE -t $REGISTRY/multi:$arch >/dev/null 2>&1; done
crane index append -m $REGISTRY/multi:amd64 -m $REGISTRY/multi:arm64 -t $REGISTRY/multi:v1 >/dev/null 2>&1
multiarch_img=$REGISTRY/multi:v1
cosign sign --key cosign.key $REGISTRY/multi@$(crane digest $multiarch_img)
cosign verify --key cosign.pub $multiarch_img
refused cosign verify --key cosign.pub "$REGISTRY/multi@$(crane digest --platform=linux/arm64 $multiarch_img)"

cosign sign --key cosign.key -r $multiarch_img
for arch in "linux/amd64" "linux/arm64"
do
    cosign verify --key cosign.pub "$REGISTRY/multi@$(crane digest --platform=$arch $multiarch_img)"
done
[ "$(cosign verify --key cosign.pub $multiarch_img | jq length)" = 2 ]
