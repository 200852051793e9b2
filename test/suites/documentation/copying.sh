# An image and its signatures, copied from one repository to another.
# Shown in: help of copy, signing/signing_with_containers.
export COSIGN_YES=true
cosign generate-key-pair
old='--new-bundle-format=false --use-signing-config=false --tlog-upload=false --key cosign.key'
echo '{"foo": "bar"}' >predicate.json
cosign sign $old $IMAGE
cosign attest $old --predicate predicate.json $IMAGE
cosign copy $REGISTRY/app:v1 $REGISTRY/dest:latest
cosign verify --key cosign.pub --insecure-ignore-tlog $REGISTRY/dest:latest
cosign verify-attestation --key cosign.pub --insecure-ignore-tlog $REGISTRY/dest:latest
cosign copy --only=sig $REGISTRY/app:v1 $REGISTRY/signed
cosign verify --key cosign.pub --insecure-ignore-tlog $REGISTRY/signed@${IMAGE#*@}
refused cosign verify-attestation --key cosign.pub --insecure-ignore-tlog $REGISTRY/signed@${IMAGE#*@}
cosign copy --only=sig,att,sbom $REGISTRY/app:v1 $REGISTRY/all
cosign verify-attestation --key cosign.pub --insecure-ignore-tlog $REGISTRY/all@${IMAGE#*@}

crane mutate --label changed=yes $REGISTRY/app:v1 -t $REGISTRY/dest:latest >/dev/null 2>&1
refused cosign copy $REGISTRY/app:v1 $REGISTRY/dest:latest
refused cosign verify --key cosign.pub --insecure-ignore-tlog $REGISTRY/dest:latest
cosign copy -f $REGISTRY/app:v1 $REGISTRY/dest:latest
cosign verify --key cosign.pub --insecure-ignore-tlog $REGISTRY/dest:latest
refused cosign copy $REGISTRY/missing $REGISTRY/dest:latest
