# Files with detached signatures, as before bundles: by key, and by an identity's certificate.
# Shown in: signing/signing_with_blobs of version 2, test/e2e_test_secrets.sh and sign_blob_test.sh.
export COSIGN_YES=true
cosign generate-key-pair
old='--new-bundle-format=false --use-signing-config=false'
echo myblob >myblob
echo myblob2 >myblob2
outdated 'a bundle has to be named' cosign sign-blob --key cosign.key myblob
cosign sign-blob $old --rekor-url $REKOR --key cosign.key myblob > myblob.sig
cosign sign-blob $old --rekor-url $REKOR --key cosign.key myblob2 > myblob2.sig
cosign verify-blob --rekor-url $REKOR --key cosign.pub --signature myblob.sig myblob
refused cosign verify-blob --rekor-url $REKOR --key cosign.pub --signature myblob.sig myblob2
refused cosign verify-blob --rekor-url $REKOR --key cosign.pub --signature myblob2.sig myblob
cosign verify-blob --rekor-url $REKOR --key cosign.pub --signature myblob2.sig myblob2
cosign verify-blob --rekor-url $REKOR --key cosign.pub --signature "$(cat myblob2.sig)" myblob2
cosign sign-blob $old --rekor-url $REKOR --key cosign.key --bundle bundle.sig myblob
cosign verify-blob --key cosign.pub --bundle bundle.sig myblob
refused cosign verify-blob --key cosign.pub --bundle bundle.sig myblob2
cosign sign-blob $old --rekor-url $REKOR --key cosign.key myblob myblob2 > sigs
head -n 1 sigs > car.sig
tail -n 1 sigs > cdr.sig
cosign verify-blob --rekor-url $REKOR --key cosign.pub --signature car.sig myblob
cosign verify-blob --rekor-url $REKOR --key cosign.pub --signature cdr.sig myblob2
cosign sign-blob $old --tlog-upload=false --key cosign.key --output-signature quiet.sig myblob
cosign verify-blob --insecure-ignore-tlog --key cosign.pub --signature quiet.sig myblob
refused cosign verify-blob --rekor-url $REKOR --key cosign.pub --signature quiet.sig myblob2

# With a certificate.
outdated 'a bundle has to be named' cosign sign-blob --output-certificate blob.cert --output-signature blob.sig myblob
cosign sign-blob $old --fulcio-url $FULCIO --oidc-issuer $OIDC_ISSUER --rekor-url $REKOR --yes --output-certificate blob.cert --output-signature blob.sig myblob
cosign verify-blob --rekor-url $REKOR --signature blob.sig --cert blob.cert --certificate-identity-regexp '.*' --certificate-oidc-issuer-regexp '.*' myblob
COSIGN_SIGNATURE=blob.sig COSIGN_CERTIFICATE=blob.cert cosign verify-blob --rekor-url $REKOR --certificate-identity-regexp '.*' --certificate-oidc-issuer-regexp '.*' myblob
base64 -d blob.cert >blob.decoded
cosign verify-blob myblob --rekor-url $REKOR --certificate blob.decoded --signature blob.sig --certificate-identity $IDENTITY --certificate-oidc-issuer $OIDC_ISSUER
refused cosign verify-blob myblob --rekor-url $REKOR --certificate blob.decoded --signature blob.sig --certificate-identity name@example.com --certificate-oidc-issuer $OIDC_ISSUER
refused cosign verify-blob myblob2 --rekor-url $REKOR --certificate blob.decoded --signature blob.sig --certificate-identity $IDENTITY --certificate-oidc-issuer $OIDC_ISSUER
