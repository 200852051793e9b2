# The images that a Dockerfile builds on, and those that a deployment runs.
# Shown in: help of dockerfile verify and manifest verify.
export COSIGN_YES=true
cosign generate-key-pair
cosign generate-key-pair --output-key-prefix other
RUNTIME=$(image runtime)
UNSIGNED=$(image unsigned)
old='--new-bundle-format=false --use-signing-config=false --rekor-url '$REKOR
for each in $IMAGE $RUNTIME; do cosign sign $old --key cosign.key -a key1=val1 $each; done
printf 'FROM %s AS build\nRUN make\nFROM %s\nCOPY --from=build /app /app\n' $IMAGE $RUNTIME >Dockerfile
printf 'FROM %s AS build\nFROM %s\n' $UNSIGNED $RUNTIME >Dockerfile.mixed
cosign dockerfile verify --key cosign.pub Dockerfile
cosign dockerfile verify -a key1=val1 --key cosign.pub Dockerfile
cosign dockerfile verify --key cosign.pub --base-image-only Dockerfile.mixed
otherwise 'every image is judged by itself' refused cosign dockerfile verify --key cosign.pub Dockerfile.mixed
refused cosign dockerfile verify --key other.pub Dockerfile
refused cosign dockerfile verify -a key1=val2 --key cosign.pub Dockerfile

deployment() {
  printf 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app}\nspec:\n  template:\n    spec:\n      containers:\n'
  for each; do printf '        - {name: c, image: "%s"}\n' $each; done
}
deployment $IMAGE $RUNTIME >my-deployment.yaml
deployment $IMAGE $UNSIGNED >mixed.yaml
cosign manifest verify --key cosign.pub my-deployment.yaml
cosign manifest verify -a key1=val1 --key cosign.pub my-deployment.yaml
otherwise 'every image is judged by itself' refused cosign manifest verify --key cosign.pub mixed.yaml
refused cosign manifest verify --key other.pub my-deployment.yaml

# Signed the way cosign 3 does.
BUNDLED=$(image bundled)
cosign sign --key cosign.key $BUNDLED
deployment $BUNDLED >bundled.yaml
printf 'FROM %s\n' $BUNDLED >Dockerfile.bundled
better 'cosign looks for the older signatures only' cosign dockerfile verify --key cosign.pub Dockerfile.bundled
better 'cosign looks for the older signatures only' cosign manifest verify --key cosign.pub bundled.yaml
otherwise 'cosign sees no signature at all' refused cosign dockerfile verify --key other.pub Dockerfile.bundled
