/** The audience of identity tokens for Fulcio, unless it is configured for another one. */
export const AUDIENCE = "sigstore";
