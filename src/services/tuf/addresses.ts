/** TUF repository of Sigstore's public instance. */
export const DEFAULT_MIRROR = "https://tuf-repo-cdn.sigstore.dev";
/** TUF repository of Sigstore's staging instance. */
export const STAGING_MIRROR = "https://tuf-repo-cdn.sigstage.dev";
