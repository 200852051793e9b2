/** Sigstore's public instance. */
export const DEFAULT_MIRROR = "https://tuf-repo-cdn.sigstore.dev";
/** Its test instance. */
export const STAGING_MIRROR = "https://tuf-repo-cdn.sigstage.dev";
