# A file published in a registry, fetched by its address, checked by hand, and signed like an image.
# Shown in: cosign's README (blobs), help of upload blob.
cosign generate-key-pair
echo "my first artifact" >artifact
BLOB_SUM=$(sha256sum artifact | cut -d' ' -f 1)
BLOB_URI=$REGISTRY/my-artifact:1h
BLOB_URI_DIGEST=$(cosign upload blob -f artifact $BLOB_URI)
curl -sfL http://${REGISTRY%%/*}/v2/${REGISTRY#*/}/my-artifact/blobs/sha256:$BLOB_SUM >artifact-fetched
cmp artifact artifact-fetched
cosign sign --key cosign.key $BLOB_URI_DIGEST
cosign verify --key cosign.pub $BLOB_URI_DIGEST
cosign verify --key cosign.pub $BLOB_URI

cosign upload blob -a mykey=myvalue -a myotherkey="my other value" -f artifact:linux -f artifact-fetched:darwin $BLOB_URI
[ "$(crane manifest $BLOB_URI | jq '.manifests | length')" = 2 ]
refused cosign verify --key cosign.pub $BLOB_URI
refused cosign upload blob -f missing $BLOB_URI
