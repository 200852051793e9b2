# The hash of a commit, signed through a pipe; the signature is kept as text or as a git note.
# Shown in: FUN.md of version 1, verifying/inspecting of version 2.
export COSIGN_YES=true
cosign generate-key-pair
git init -q . && git config user.email name@example.com && git config user.name name
git commit -q --allow-empty -m first
old='--new-bundle-format=false --use-signing-config=false --tlog-upload=false'
SIGNATURE=$(cosign sign-blob $old --key cosign.key <(git rev-parse HEAD))
cosign verify-blob --insecure-ignore-tlog --key cosign.pub --signature $SIGNATURE <(git rev-parse HEAD)
git notes add -m "$SIGNATURE" HEAD
cosign verify-blob --insecure-ignore-tlog --key cosign.pub --signature <(git notes show HEAD) <(git rev-parse HEAD)
cosign sign-blob --key cosign.key --bundle commit.sigstore.json <(git rev-parse HEAD)
cosign verify-blob --key cosign.pub --bundle commit.sigstore.json <(git rev-parse HEAD)
git commit -q --allow-empty -m second
refused cosign verify-blob --insecure-ignore-tlog --key cosign.pub --signature $SIGNATURE <(git rev-parse HEAD)
refused cosign verify-blob --key cosign.pub --bundle commit.sigstore.json <(git rev-parse HEAD)
