# The signature of an image is an artifact too, and can be signed.
# Shown in: signing/other_types of version 2.
export COSIGN_YES=true
cosign generate-key-pair
old='--new-bundle-format=false --use-signing-config=false --tlog-upload=false'
cosign sign $old --key cosign.key -a sig=original $IMAGE
cosign verify --key cosign.pub --insecure-ignore-tlog $IMAGE | jq .
crane tag $(cosign triangulate $IMAGE) mysignature
refused cosign verify --key cosign.pub --insecure-ignore-tlog $REGISTRY/app:mysignature
cosign sign $old --key cosign.key -a sig=counter $REGISTRY/app:mysignature
cosign verify --key cosign.pub --insecure-ignore-tlog -a sig=counter $REGISTRY/app:mysignature
refused cosign verify --key cosign.pub --insecure-ignore-tlog -a sig=counter $IMAGE
crane manifest $REGISTRY/app:mysignature | jq -e '.layers[0].annotations["dev.cosignproject.cosign/signature"]'
