# A key pair: generated, used for an image and a file, kept in the environment; its public key is printed again.
# Shown in: key_management/signing_with_self-managed_keys, signing_with_containers, verifying/verify.
cosign generate-key-pair
cosign generate-key-pair --output-key-prefix other
head -n 1 cosign.key | grep -q 'BEGIN ENCRYPTED SIGSTORE PRIVATE KEY'
head -n 1 cosign.pub | grep -q 'BEGIN PUBLIC KEY'

refused cosign verify --key cosign.pub $IMAGE
cosign sign --key cosign.key $IMAGE
cosign verify --key cosign.pub $IMAGE
cosign verify --key cosign.pub $REGISTRY/app:v1 | jq .
refused cosign verify --key other.pub $IMAGE

export SIGNING_KEY="$(cat other.key)" VERIFYING_KEY="$(cat other.pub)"
cosign sign --key env://SIGNING_KEY $IMAGE
cosign verify --key env://VERIFYING_KEY $IMAGE
cosign verify --key cosign.pub $IMAGE
cosign tree $IMAGE

cosign public-key --key cosign.key >again.pub
cmp again.pub cosign.pub
cosign public-key --key cosign.key --outfile written.pub
cmp written.pub cosign.pub
COSIGN_PASSWORD=wrong refused cosign public-key --key cosign.key
COSIGN_PASSWORD=wrong refused cosign sign --key cosign.key $IMAGE

echo 'read me' >README.md
cosign sign-blob --key cosign.key --bundle bundle.sigstore.json README.md
cosign verify-blob --bundle bundle.sigstore.json --key cosign.pub README.md
refused cosign verify-blob --bundle bundle.sigstore.json --key other.pub README.md
outdated 'a bundle has to be named' cosign sign-blob --key cosign.key README.md
