/** A command as the program knows it before its module is loaded. */
export interface Entry {
  /** Its words, separated by single spaces: `download signature`. */
  readonly name: CommandName;
  /** `["download", "signature"]`. */
  readonly words: readonly string[];
  readonly summary: string;
  /** Left out of help, still works. */
  readonly hidden: boolean;
  /** Not meant for users: left out of what is generated, too. */
  readonly internal: boolean;
}

/** Every command, in the order of the reference, with its line in help. */
const SUMMARIES = {
  "attach attestation": "Attach attestations made elsewhere to an image",
  "attach sbom": "Attach a software bill of materials to an image",
  "attach signature": "Attach a signature made elsewhere to an image",
  attest: "Attest something about container images",
  "attest-blob": "Attest something about a file",
  "bundle create": "Make a Sigstore bundle of a signature and what belongs to it",
  "bundle inspect": "Show what a Sigstore bundle holds",
  "bundle upgrade": "Convert an older Sigstore bundle to version 0.3",
  clean: "Remove signatures and attestations from an image",
  completion: "Print a shell's completion script",
  copy: "Copy an image and what is attached to it",
  "debug providers": "Print where an identity token could come from without a login",
  "dockerfile verify": "Verify the images that a Dockerfile is built on",
  "download attestation": "Print the attestations of an image as JSON lines",
  "download sbom": "Print the software bill of materials attached to an image",
  "download signature": "Print the signatures of an image as JSON lines",
  env: "Print the environment variables tsign reads",
  generate: "Print the payload that a legacy signature of an image is over",
  "generate-fig-spec": "Print a completion specification for Fig",
  "generate-key-pair": "Make a new key pair",
  "import-key-pair": "Encrypt an existing private key for signing",
  "key test": "Try out a key: sign and verify once",
  initialize: "Fetch the trust root that signatures are made and verified with",
  load: "Load a saved image and what is attached to it into a registry",
  login: "Store the credentials of a registry",
  logout: "Remove the stored credentials of a registry",
  "manifest verify": "Verify the images that a Kubernetes manifest names",
  "piv-tool attestation": "Print the attestation of a key on a PIV token",
  "piv-tool generate-key": "Make a key on a PIV token",
  "piv-tool reset": "Set a PIV token back to how it was delivered",
  "piv-tool set-management-key": "Change the management key of a PIV token",
  "piv-tool set-pin": "Change the PIN of a PIV token",
  "piv-tool set-puk": "Change the PUK of a PIV token",
  "piv-tool unblock": "Set a new PIN on a blocked PIV token",
  "pkcs11-tool list-keys-uris": "Print the references of the keys on a PKCS#11 token",
  "pkcs11-tool list-tokens": "Print the tokens a PKCS#11 module knows",
  "public-key": "Print the public half of a key",
  "sandbox down": "Stop the sandbox",
  "sandbox env": "Print the sandbox's environment for a shell",
  "sandbox exec": "Run a command inside a sandbox of its own",
  "sandbox fault": "Make the sandbox fail on purpose",
  "sandbox push": "Push a small image into the sandbox",
  "sandbox status": "Say whether a sandbox is running",
  "sandbox token": "Print an identity token of the sandbox",
  "sandbox up": "Start a Sigstore and a registry on this machine to learn and test with",
  save: "Save an image and what is attached to it to a folder",
  sign: "Sign container images",
  "sign-blob": "Sign files",
  "signing-config create": "Write a file that names the services to sign with",
  tree: "Show what is attached to an image",
  triangulate: "Print where an image's signatures are kept",
  "trusted-root create": "Write a file of everything signatures are verified against",
  "upload blob": "Store files in a registry",
  "upload wasm": "Store a WebAssembly module in a registry",
  verify: "Verify signatures of container images",
  "verify-attestation": "Verify attestations of container images",
  "verify-blob": "Verify the signature of a file",
  "verify-blob-attestation": "Verify an attestation of a file",
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

/** Every command. Where its definition is loaded from stands in src/commands.ts, which nothing below it needs. */
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
