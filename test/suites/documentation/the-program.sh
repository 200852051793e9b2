# What a script can ask the program about itself.
# Shown in: CLI.md, help.
cosign version | grep -q GitVersion
otherwise 'the trust it carries is shown too' cosign version --json | jq -e '.gitVersion and .platform'
cosign env --show-descriptions | grep -q COSIGN_PASSWORD
[ "$(COSIGN_PASSWORD=secret cosign env | grep -c secret)" = 0 ]
COSIGN_PASSWORD=secret cosign env --show-sensitive-values | grep -q COSIGN_PASSWORD=secret
cosign completion bash | bash -n
cosign sign-blob --help | grep -q -- --bundle
refused cosign sign-blobs
refused cosign sign --no-such-flag $IMAGE
