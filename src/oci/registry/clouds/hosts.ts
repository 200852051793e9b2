/**
 * Patterns of the hosts to which a cloud's credentials may be sent, in lower case and without a port. Every pattern is
 * anchored, so that a name that only contains or starts with a cloud's host does not match.
 */

/** go-containerregistry, pkg/v1/google. */
export const GOOGLE_HOST = /^(?:(?:.+\.)?gcr\.io|.+\.(?:pkg\.dev|google\.com))$/;

/** Account, FIPS and region of a private registry, in every partition of AWS (amazon-ecr-credential-helper). */
export const ECR_HOST =
  /^(?<account>\d{12})\.dkr[.-]ecr(?<fips>-fips)?\.(?<region>[a-z0-9][a-z0-9-]*)\.(?:amazonaws\.(?:com(?:\.cn)?|eu)|on\.(?:aws|amazonwebservices\.com\.cn)|sc2s\.sgov\.gov|c2s\.ic\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov)$/;
export const ECR_PUBLIC_HOST = /^(?:public\.ecr\.aws|ecr-public\.aws\.com)$/;

/** Azure's clouds by their last label. */
export const ACR_HOST = /^.+\.azurecr\.(?<cloud>io|cn|de|us)$/;

/** Instance (absent for personal registries) and region (docker-credential-acr-helper). */
export const ALIBABA_HOST =
  /^(?:(?<instance>[a-z0-9-]+)-)?registry(?:-intl)?(?:-vpc)?(?:-internal)?(?:\.distributed)?\.(?<region>[a-z0-9-]+)\.(?:cr\.)?aliyuncs\.com$/;

export const GITHUB_HOST = /^ghcr\.io$/;
