/** The parts of the sandbox a fault can be set for. */
export const SERVICES = ["oidc", "fulcio", "ct", "rekor1", "rekor2", "tsa", "tuf", "registry"] as const;
export type ServiceName = (typeof SERVICES)[number];

export const SANDBOX_NOTICE =
  "The sandbox is for learning and tests: it is open to every program on this machine and certifies any identity for " +
  "the asking, so nothing it signs proves anything. Never trust its root outside of it.";
