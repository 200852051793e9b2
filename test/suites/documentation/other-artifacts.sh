# Anything in a registry can be signed: a WebAssembly module, and whatever oras pushes.
# Shown in: signing/other_types, cosign's README (WASM, OCI artifacts).
cosign generate-key-pair
printf '\0asm\1\0\0\0' >hello.wasm
cosign upload wasm -f hello.wasm $REGISTRY/wasm
cosign sign --key cosign.key $REGISTRY/wasm@$(crane digest $REGISTRY/wasm)
cosign verify --key cosign.pub $REGISTRY/wasm

echo program >program
oras push --plain-http $REGISTRY/artifact:v1 program >/dev/null
DIGEST=$(crane digest $REGISTRY/artifact:v1)
refused cosign verify --key cosign.pub $REGISTRY/artifact@$DIGEST
cosign sign --key cosign.key $REGISTRY/artifact@$DIGEST
cosign verify --key cosign.pub $REGISTRY/artifact@$DIGEST
cosign sign --key cosign.key $REGISTRY/artifact:v1
[ "$(cosign verify --key cosign.pub $REGISTRY/artifact:v1 | jq length)" = 2 ]
