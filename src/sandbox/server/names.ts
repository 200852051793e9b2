/** The parts of the sandbox a fault can be set for. */
export const SERVICES = ["oidc", "fulcio", "ct", "rekor1", "rekor2", "tsa", "tuf", "registry"] as const;
export type ServiceName = (typeof SERVICES)[number];
