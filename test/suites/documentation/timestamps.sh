# Signed timestamps, as requested before signing configs contained an authority.
# Shown in: verifying/timestamps of version 2, test/e2e_signblob_tsa_mtls.sh.
export COSIGN_YES=true
cosign generate-key-pair
old='--new-bundle-format=false --use-signing-config=false --tlog-upload=false'
cosign sign $old --key cosign.key --timestamp-server-url $TSA $IMAGE
cosign verify --key cosign.pub --insecure-ignore-tlog --timestamp-certificate-chain $TSA_CHAIN $IMAGE
cosign verify --key cosign.pub --insecure-ignore-tlog --use-signed-timestamps --timestamp-certificate-chain $TSA_CHAIN $IMAGE
otherwise 'refused as an authority, or as not that of the timestamp' refused cosign verify --key cosign.pub --insecure-ignore-tlog --use-signed-timestamps --timestamp-certificate-chain $FULCIO_CHAIN $IMAGE

date >blob
cosign sign-blob $old --key cosign.key --timestamp-server-url $TSA --rfc3161-timestamp=timestamp.txt --bundle cosign.bundle blob
for ignoring in --insecure-ignore-tlog=true --private-infrastructure; do
  outdated 'a key and an identity exclude each other' cosign verify-blob --bundle cosign.bundle \
    --certificate-identity-regexp '.*' --certificate-oidc-issuer-regexp '.*' \
    --rfc3161-timestamp=timestamp.txt --timestamp-certificate-chain=$TSA_CHAIN \
    $ignoring --key cosign.pub blob
  cosign verify-blob --bundle cosign.bundle \
    --rfc3161-timestamp=timestamp.txt --timestamp-certificate-chain=$TSA_CHAIN \
    $ignoring --key cosign.pub blob
done
date -d tomorrow >blob
refused cosign verify-blob --bundle cosign.bundle \
  --rfc3161-timestamp=timestamp.txt --timestamp-certificate-chain=$TSA_CHAIN \
  --insecure-ignore-tlog=true --key cosign.pub blob
outdated 'addresses of services and a signing config exclude each other' cosign sign --key cosign.key --timestamp-server-url $TSA $IMAGE
