/** What identity tokens are for unless a Fulcio is configured otherwise: its audience. */
export const AUDIENCE = "sigstore";
