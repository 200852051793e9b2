# A release job: it pushes, signs the digest of every tag by the identity of the job, and verifies.
# Shown in: quickstart-ci, the verification cheat sheet, GitHub's starter workflow.
unset SIGSTORE_ID_TOKEN
export GITHUB_ACTIONS=true ACTIONS_ID_TOKEN_REQUEST_TOKEN=x ACTIONS_ID_TOKEN_REQUEST_URL=$CI_TOKEN_URL
DIGEST=${IMAGE#*@}
TAGS="$REGISTRY/app:v1 $REGISTRY/app:latest"
crane tag $IMAGE latest
images=""
for tag in ${TAGS}; do
  images+="${tag}@${DIGEST} "
done
cosign sign --yes ${images}
cosign verify ${images} \
  --certificate-identity=https://github.com/acme/widget/.github/workflows/release.yml@refs/heads/main \
  --certificate-oidc-issuer=$CI_ISSUER
refused cosign verify ${images} \
  --certificate-identity=https://github.com/acme/widget/.github/workflows/release.yml@refs/heads/feature \
  --certificate-oidc-issuer=$CI_ISSUER

# The starter workflow of GitHub signs each tag by itself.
echo "${TAGS}" | xargs -n 1 echo | xargs -I {} cosign sign --yes {}@${DIGEST}

# The job's fields in the certificate.
job='--certificate-identity-regexp ^https://github.com/acme/ --certificate-oidc-issuer='$CI_ISSUER
cosign verify $job --certificate-github-workflow-repository acme/widget --certificate-github-workflow-ref refs/heads/main \
  --certificate-github-workflow-name release --certificate-github-workflow-trigger push \
  --certificate-github-workflow-sha aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa $IMAGE
refused cosign verify $job --certificate-github-workflow-repository acme/gadget $IMAGE
refused cosign verify $job --certificate-github-workflow-trigger pull_request $IMAGE
refused cosign verify $job --certificate-github-workflow-ref refs/tags/v1 $IMAGE

refused cosign sign-blob README.md --bundle artifact.sigstore.json --yes
echo 'read me' >README.md
cosign sign-blob README.md --bundle artifact.sigstore.json --yes
cosign verify-blob README.md --bundle artifact.sigstore.json \
  --certificate-identity=https://github.com/acme/widget/.github/workflows/release.yml@refs/heads/main \
  --certificate-oidc-issuer=$CI_ISSUER
refused cosign verify-blob README.md --bundle artifact.sigstore.json \
  --certificate-identity=$IDENTITY --certificate-oidc-issuer=$OIDC_ISSUER
