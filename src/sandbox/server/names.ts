/** The services of the sandbox for which faults can be set. */
export const SERVICES = ["oidc", "fulcio", "ct", "rekor1", "rekor2", "tsa", "tuf", "registry"] as const;
export type ServiceName = (typeof SERVICES)[number];

export const SANDBOX_NOTICE =
  "The sandbox is for learning and tests. It issues certificates for any identity to any program on this machine, so its " +
  "signatures prove nothing. Never trust its root elsewhere.";
