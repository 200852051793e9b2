# Signatures kept in a repository of their own.
# Shown in: system_config/registry_support, test/e2e_test_secrets_kms.sh.
cosign generate-key-pair
COSIGN_REPOSITORY=$REGISTRY/signatures cosign sign --key cosign.key $IMAGE
refused cosign verify --key cosign.pub $IMAGE
export COSIGN_REPOSITORY=$REGISTRY/signatures
cosign verify --key cosign.pub $IMAGE
cosign triangulate $IMAGE | grep -q ^$REGISTRY/signatures:
COSIGN_REPOSITORY=$REGISTRY/elsewhere refused cosign verify --key cosign.pub $IMAGE

# The environment also gives flags.
COSIGN_KEY=cosign.key cosign sign -a foo=bar $IMAGE
COSIGN_KEY=cosign.pub cosign verify -a foo=bar $IMAGE
COSIGN_KEY=cosign.pub refused cosign verify -a foo=baz $IMAGE
