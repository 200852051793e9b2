# More than one image in a command.
# Shown in: verifying/verify, test/e2e_test_secrets.sh.
cosign generate-key-pair
OTHER=$(image other)
THIRD=$(image third)
cosign sign --key cosign.key -a multiple=true $IMAGE $OTHER
cosign verify --key cosign.pub -a multiple=true $IMAGE $OTHER
[ "$(cosign verify --key cosign.pub $IMAGE $OTHER | jq -s length)" = 2 ]
otherwise 'every image is judged by itself' refused cosign verify --key cosign.pub $IMAGE $THIRD
otherwise 'every image is judged by itself' refused cosign verify --key cosign.pub $THIRD $IMAGE
echo '{"foo": "bar"}' >predicate.json
cosign attest --key cosign.key --type custom --predicate predicate.json $IMAGE
cosign attest --key cosign.key --type custom --predicate predicate.json $OTHER
cosign verify-attestation --key cosign.pub $IMAGE $OTHER
refused cosign verify-attestation --key cosign.pub $IMAGE $THIRD
