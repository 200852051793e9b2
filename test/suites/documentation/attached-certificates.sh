# A private PKI: openssl signs with the key of a certificate, the certificate is attached, and verify trusts the root.
# Shown in: test/e2e_test_attach.sh and e2e_tsa_certbundle.sh of cosign 2, verifying/verify (own PKI).
authority() { # NAME: a root NAME.root.pem and a code-signing certificate NAME.pem of name@example.com, its key in NAME.key
  local curve='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
  openssl req -x509 $curve -keyout $1.root.key -out $1.root.pem -days 2 -subj /CN=$1-root -addext basicConstraints=critical,CA:TRUE \
    -addext keyUsage=critical,keyCertSign
  openssl req $curve -keyout $1.key -out $1.csr -subj /CN=$1
  printf 'keyUsage=critical,digitalSignature\nextendedKeyUsage=codeSigning\nsubjectAltName=critical,email:%s\n1.3.6.1.4.1.57264.1.1=DER:%s\n' \
    $1@example.com "$(printf https://issuer.example.com | od -An -tx1 | tr -d ' \n')" >$1.ext
  openssl x509 -req -in $1.csr -CA $1.root.pem -CAkey $1.root.key -CAcreateserial -days 1 -extfile $1.ext -out $1.pem
}
authority first 2>/dev/null
authority second 2>/dev/null

cosign generate $IMAGE > payload.json
openssl dgst -sha256 -sign first.key -out payload.sig payload.json
cat payload.sig | base64 > payloadbase64.sig
cosign attach signature --signature ./payloadbase64.sig --payload ./payload.json --cert first.pem --cert-chain first.root.pem $IMAGE
crane manifest $(cosign triangulate $IMAGE) | grep -q "application/vnd.oci.image.config.v1+json"
crane manifest $(cosign triangulate $IMAGE) | grep -q "dev.sigstore.cosign/certificate"
crane manifest $(cosign triangulate $IMAGE) | grep -q "dev.sigstore.cosign/chain"
cosign verify $IMAGE --insecure-ignore-sct --insecure-ignore-tlog --certificate-identity-regexp '.*' --certificate-oidc-issuer-regexp '.*' --cert-chain=first.root.pem
refused cosign verify $IMAGE --insecure-ignore-sct --insecure-ignore-tlog --certificate-identity-regexp '.*' --certificate-oidc-issuer-regexp '.*' --cert-chain=second.root.pem

openssl dgst -sha256 -sign second.key -out second.sig payload.json
cat second.sig | base64 > secondbase64.sig
cosign attach signature --signature ./secondbase64.sig --payload ./payload.json --cert second.pem --cert-chain second.root.pem $IMAGE
for root in first second; do
  cosign verify $IMAGE --insecure-ignore-sct --insecure-ignore-tlog --certificate-identity $root@example.com --certificate-oidc-issuer https://issuer.example.com --cert-chain=$root.root.pem
done
refused cosign verify $IMAGE --insecure-ignore-sct --insecure-ignore-tlog --certificate-identity first@example.com --certificate-oidc-issuer https://issuer.example.com --cert-chain=second.root.pem
cat first.root.pem second.root.pem >ca-roots.pem
cosign verify $IMAGE --insecure-ignore-sct --insecure-ignore-tlog --check-claims=true --certificate-identity second@example.com --certificate-oidc-issuer-regexp '.*' --ca-roots ca-roots.pem
refused cosign verify $IMAGE --insecure-ignore-sct --insecure-ignore-tlog --certificate-identity second@example.com --certificate-oidc-issuer-regexp '.*' --ca-roots ca-roots.pem --cert-chain=first.root.pem
otherwise 'the log is asked for only when the rest is good' refused cosign verify $IMAGE --certificate-identity first@example.com --certificate-oidc-issuer-regexp '.*' --ca-roots ca-roots.pem
cosign clean $IMAGE --force=true
refused cosign verify $IMAGE --insecure-ignore-sct --insecure-ignore-tlog --certificate-identity-regexp '.*' --certificate-oidc-issuer-regexp '.*' --cert-chain=first.root.pem
