/** A command before its module is loaded. */
export interface Entry {
  /** Its words, separated by single spaces: `download signature`. */
  readonly name: CommandName;
  /** `["download", "signature"]`. */
  readonly words: readonly string[];
  readonly summary: string;
  /** Omitted from help; it still works. */
  readonly hidden: boolean;
  /** Not meant for users: also omitted from generated documents. */
  readonly internal: boolean;
}

/** Every command with its summary, in the order of the reference. */
const SUMMARIES = {
  "admission audit": "Verify the images that run in a cluster now",
  "admission manifests": "Print manifests that run admission in a cluster",
  "admission serve": "Provide admission decisions to Kubernetes",
  "admission test": "Show what admission decides about manifests",
  "attach attestation": "Attach existing attestations to an image",
  "attach sbom": "Attach a software bill of materials to an image",
  "attach signature": "Attach an existing signature to an image",
  attest: "Attest container images",
  "attest-blob": "Attest files",
  "bundle create": "Create a Sigstore bundle from a signature and its parts",
  "bundle inspect": "Show the contents of a Sigstore bundle",
  "bundle upgrade": "Convert an older Sigstore bundle to version 0.3",
  clean: "Remove signatures and attestations from an image",
  completion: "Print a shell completion script",
  copy: "Copy an image and its attached artifacts",
  "debug providers": "Print the ambient identity token providers",
  doctor: "Check what signing and verifying depend on",
  "dockerfile verify": "Verify the base images of a Dockerfile",
  "download attestation": "Print the attestations of an image as JSON lines",
  "download sbom": "Print the software bill of materials attached to an image",
  "download signature": "Print the signatures of an image as JSON lines",
  env: "Print the environment variables that tsign reads",
  generate: "Print the payload to sign for a legacy signature",
  "generate-fig-spec": "Print a completion specification for Fig",
  "generate-key-pair": "Generate a key pair",
  identify: "Show who claims to have signed an image or a file",
  "import-key-pair": "Import a private key for signing",
  "key change-password": "Change the password of a private key file",
  "key inspect": "Show what a key is, without using it",
  "key test": "Test a key by signing and verifying once",
  initialize: "Fetch the TUF trust root",
  load: "Load a saved image into a registry",
  "log get": "Show an entry of a transparency log",
  "log search": "Find log entries by artifact, key or email address",
  "log verify": "Verify that an entry is in a transparency log",
  login: "Log in to a registry",
  logout: "Log out from a registry",
  "manifest verify": "Verify the images of a Kubernetes manifest",
  monitor: "Watch transparency logs for signatures in your name",
  "monitor ack": "Acknowledge a finding or an alarm of the monitor",
  "monitor init": "Create the state of a monitor",
  "piv-tool attestation": "Print the attestation of a key on a PIV token",
  "piv-tool generate-key": "Generate a key on a PIV token",
  "piv-tool reset": "Reset a PIV token to its factory settings",
  "piv-tool set-management-key": "Change the management key of a PIV token",
  "piv-tool set-pin": "Change the PIN of a PIV token",
  "piv-tool set-puk": "Change the PUK of a PIV token",
  "piv-tool unblock": "Set a new PIN on a blocked PIV token",
  "pkcs11-tool list-keys-uris": "Print the PKCS#11 URIs of the keys on a token",
  "pkcs11-tool list-tokens": "Print the tokens of a PKCS#11 module",
  "policy check": "Check a trust policy file",
  "policy diff": "Show whose verdict changes between two trust policies",
  "policy explain": "Show what a trust policy decides about an image",
  "policy export": "Write a trust policy for another program",
  "policy fmt": "Print a trust policy file in its usual layout",
  "policy import": "Write a trust policy from another program's policy",
  "policy init": "Write a trust policy for the signers of images",
  "policy test": "Run the cases of a trust policy",
  prune: "Remove signatures that newer ones supersede",
  "public-key": "Print a public key",
  "sandbox down": "Stop the sandbox",
  "sandbox env": "Print the sandbox's environment variables",
  "sandbox exec": "Run a command in a temporary sandbox",
  "sandbox fault": "Inject faults into the sandbox",
  "sandbox push": "Push a small image to the sandbox's registry",
  "sandbox status": "Print whether a sandbox is running",
  "sandbox token": "Print an identity token from the sandbox",
  "sandbox up": "Start a local Sigstore instance and registry",
  repair: "Repair the list of referrers of an image",
  save: "Save an image and its attached artifacts to a folder",
  sign: "Sign container images",
  "sign-blob": "Sign files",
  "signing-config create": "Create a signing config file",
  tree: "Show the artifacts attached to an image",
  triangulate: "Print where the signatures of an image are stored",
  "trusted-root create": "Create a trusted root file",
  "upload blob": "Upload files to a registry",
  "upload wasm": "Upload a WebAssembly module to a registry",
  verify: "Verify signatures of container images",
  "verify-attestation": "Verify attestations of container images",
  "verify-blob": "Verify signatures of files",
  "verify-blob-attestation": "Verify attestations of files",
  version: "Print the version",
} as const;

export type CommandName = keyof typeof SUMMARIES;

const HIDDEN: readonly string[] = [
  "copy",
  "generate",
  "generate-fig-spec",
  "triangulate",
] satisfies readonly CommandName[];
const INTERNAL: readonly string[] = ["generate-fig-spec"] satisfies readonly CommandName[];

/** Every command. src/commands.ts loads their definitions. */
export const TABLE: readonly Entry[] = (Object.keys(SUMMARIES) as CommandName[]).map((name) => ({
  name,
  words: name.split(" "),
  summary: SUMMARIES[name],
  hidden: HIDDEN.includes(name),
  internal: INTERNAL.includes(name),
}));

/** Other names of commands. */
export const ALIASES: Readonly<Record<string, CommandName>> = {
  generateFigSpec: "generate-fig-spec",
  genFigSpec: "generate-fig-spec",
};
