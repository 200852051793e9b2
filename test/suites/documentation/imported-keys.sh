# Keys of openssl, imported and used; a file that is not a private key is refused.
# Shown in: key_management/import-keypair, test/import_test.sh.
openssl genrsa -traditional -out opensslrsakey.pem 2048 2>/dev/null
openssl ecparam -name prime256v1 -genkey -noout -out openssl.key
openssl rsa -in opensslrsakey.pem -pubout -out rsa.pub 2>/dev/null
cosign import-key-pair --key opensslrsakey.pem
cmp import-cosign.pub rsa.pub
cosign sign --key import-cosign.key $IMAGE
cosign verify --key import-cosign.pub $IMAGE

cosign import-key-pair --key openssl.key --output-key-prefix my-key
refused cosign verify --key my-key.pub $IMAGE
cosign sign --key my-key.key $IMAGE
cosign verify --key my-key.pub $IMAGE

cosign import-key-pair --key <(cat openssl.key) --output-key-prefix piped
cmp piped.pub my-key.pub
refused cosign import-key-pair --key <(cat rsa.pub) --output-key-prefix no
refused cosign import-key-pair --key <(echo '-----BEGIN PGP PRIVATE KEY BLOCK-----') --output-key-prefix no
[ ! -e no.key ]
refused cosign sign --key openssl.key $IMAGE
