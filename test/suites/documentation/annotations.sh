# Signed annotations: set by sign, printed and required by verify; a tag can be one.
# Shown in: verifying/verify, signing/other_types (tag signing), Signing Containers.
cosign generate-key-pair
cosign sign --key cosign.key -a foo=bar -a baz=bat $IMAGE
[ "$(cosign verify --key cosign.pub $IMAGE | jq -r '.[0].optional.foo')" = bar ]
cosign verify --key cosign.pub -a foo=bar $IMAGE
cosign verify --key cosign.pub -a foo=bar -a baz=bat $IMAGE
refused cosign verify --key cosign.pub -a foo=other $IMAGE
refused cosign verify --key cosign.pub -a foo=bar -a more=x $IMAGE
outdated 'one dash and several letters is a long flag' cosign verify -a foo=bar -a=more=x --key cosign.pub $IMAGE
outdated '-a takes the next word as its value' cosign verify -a --key cosign.pub $IMAGE

# The digest that a tag should have, signed with the name of the tag.
TAG=sign-me
crane tag $IMAGE $TAG
DGST=$(crane digest $REGISTRY/app:$TAG)
cosign sign --key cosign.key -a tag=$TAG $REGISTRY/app@$DGST
cosign verify --key cosign.pub -a tag=$TAG $REGISTRY/app:$TAG | jq .
crane tag $IMAGE elsewhere
refused cosign verify --key cosign.pub -a tag=elsewhere $REGISTRY/app:elsewhere
