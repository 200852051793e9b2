import type { Command } from "./parser/define.ts";

/** A command as the program knows it before its module is loaded. */
export interface Entry {
  /** `["download", "signature"]`. */
  readonly words: readonly string[];
  readonly summary: string;
  /** Left out of help, still works. */
  readonly hidden?: boolean;
  /** Not meant for users: left out of what is generated, too. */
  readonly internal?: boolean;
  load(): Promise<{ default: Command }>;
}

// biome-ignore lint/suspicious/noExplicitAny: a command's flags are its own affair, and the table holds all of them
type Module = { default: Command<any> };

const entry = (words: string, summary: string, load: () => Promise<Module>, more: Partial<Entry> = {}): Entry => ({
  words: words.split(" "),
  summary,
  load,
  ...more,
});

/** Every command. A module is loaded when its command is asked for, and only then: start-up time depends on it. */
export const TABLE: readonly Entry[] = [
  entry(
    "attach attestation",
    "Attach attestations made elsewhere to an image",
    () => import("../commands/attach/attestation.ts"),
  ),
  entry("attach sbom", "Attach a software bill of materials to an image", () => import("../commands/attach/sbom.ts")),
  entry(
    "attach signature",
    "Attach a signature made elsewhere to an image",
    () => import("../commands/attach/signature.ts"),
  ),
  entry("attest", "Attest something about container images", () => import("../commands/attest.ts")),
  entry("attest-blob", "Attest something about a file", () => import("../commands/attest-blob.ts")),
  entry(
    "bundle create",
    "Make a Sigstore bundle of a signature and what belongs to it",
    () => import("../commands/bundle/create.ts"),
  ),
  entry("bundle inspect", "Show what a Sigstore bundle holds", () => import("../commands/bundle/inspect.ts")),
  entry(
    "bundle upgrade",
    "Convert an older Sigstore bundle to version 0.3",
    () => import("../commands/bundle/upgrade.ts"),
  ),
  entry("clean", "Remove signatures and attestations from an image", () => import("../commands/clean.ts")),
  entry("completion", "Print a shell's completion script", () => import("../commands/completion.ts")),
  entry("copy", "Copy an image and what is attached to it", () => import("../commands/copy.ts"), { hidden: true }),
  entry(
    "debug providers",
    "Print where an identity token could come from without a login",
    () => import("../commands/debug/providers.ts"),
  ),
  entry(
    "dockerfile verify",
    "Verify the images that a Dockerfile is built on",
    () => import("../commands/dockerfile/verify.ts"),
  ),
  entry(
    "download attestation",
    "Print the attestations of an image as JSON lines",
    () => import("../commands/download/attestation.ts"),
  ),
  entry(
    "download sbom",
    "Print the software bill of materials attached to an image",
    () => import("../commands/download/sbom.ts"),
  ),
  entry(
    "download signature",
    "Print the signatures of an image as JSON lines",
    () => import("../commands/download/signature.ts"),
  ),
  entry("env", "Print the environment variables tsign reads", () => import("../commands/env.ts")),
  entry(
    "generate",
    "Print the payload that a legacy signature of an image is over",
    () => import("../commands/generate.ts"),
    { hidden: true },
  ),
  entry(
    "generate-fig-spec",
    "Print a completion specification for Fig",
    () => import("../commands/generate-fig-spec.ts"),
    { hidden: true, internal: true },
  ),
  entry("generate-key-pair", "Make a new key pair", () => import("../commands/generate-key-pair.ts")),
  entry(
    "import-key-pair",
    "Encrypt an existing private key for signing",
    () => import("../commands/import-key-pair.ts"),
  ),
  entry("key test", "Try out a key: sign and verify once", () => import("../commands/key/test.ts")),
  entry(
    "initialize",
    "Fetch the trust root that signatures are made and verified with",
    () => import("../commands/initialize.ts"),
  ),
  entry("load", "Load a saved image and what is attached to it into a registry", () => import("../commands/load.ts")),
  entry("login", "Store the credentials of a registry", () => import("../commands/login.ts")),
  entry("logout", "Remove the stored credentials of a registry", () => import("../commands/logout.ts")),
  entry(
    "manifest verify",
    "Verify the images that a Kubernetes manifest names",
    () => import("../commands/manifest/verify.ts"),
  ),
  entry(
    "piv-tool attestation",
    "Print the attestation of a key on a PIV token",
    () => import("../commands/piv-tool/attestation.ts"),
  ),
  entry("piv-tool generate-key", "Make a key on a PIV token", () => import("../commands/piv-tool/generate-key.ts")),
  entry(
    "piv-tool reset",
    "Set a PIV token back to how it was delivered",
    () => import("../commands/piv-tool/reset.ts"),
  ),
  entry(
    "piv-tool set-management-key",
    "Change the management key of a PIV token",
    () => import("../commands/piv-tool/set-management-key.ts"),
  ),
  entry("piv-tool set-pin", "Change the PIN of a PIV token", () => import("../commands/piv-tool/set-pin.ts")),
  entry("piv-tool set-puk", "Change the PUK of a PIV token", () => import("../commands/piv-tool/set-puk.ts")),
  entry("piv-tool unblock", "Set a new PIN on a blocked PIV token", () => import("../commands/piv-tool/unblock.ts")),
  entry(
    "pkcs11-tool list-keys-uris",
    "Print the references of the keys on a PKCS#11 token",
    () => import("../commands/pkcs11-tool/list-keys-uris.ts"),
  ),
  entry(
    "pkcs11-tool list-tokens",
    "Print the tokens a PKCS#11 module knows",
    () => import("../commands/pkcs11-tool/list-tokens.ts"),
  ),
  entry("public-key", "Print the public half of a key", () => import("../commands/public-key.ts")),
  entry("sandbox down", "Stop the sandbox", () => import("../commands/sandbox/down.ts")),
  entry("sandbox env", "Print the sandbox's environment for a shell", () => import("../commands/sandbox/env.ts")),
  entry("sandbox exec", "Run a command inside a sandbox of its own", () => import("../commands/sandbox/exec.ts")),
  entry("sandbox fault", "Make the sandbox fail on purpose", () => import("../commands/sandbox/fault.ts")),
  entry("sandbox push", "Push a small image into the sandbox", () => import("../commands/sandbox/push.ts")),
  entry("sandbox status", "Say whether a sandbox is running", () => import("../commands/sandbox/status.ts")),
  entry("sandbox token", "Print an identity token of the sandbox", () => import("../commands/sandbox/token.ts")),
  entry(
    "sandbox up",
    "Start a Sigstore and a registry on this machine to learn and test with",
    () => import("../commands/sandbox/up.ts"),
  ),
  entry("save", "Save an image and what is attached to it to a folder", () => import("../commands/save.ts")),
  entry("sign", "Sign container images", () => import("../commands/sign.ts")),
  entry("sign-blob", "Sign files", () => import("../commands/sign-blob.ts")),
  entry(
    "signing-config create",
    "Write a file that names the services to sign with",
    () => import("../commands/signing-config/create.ts"),
  ),
  entry("tree", "Show what is attached to an image", () => import("../commands/tree.ts")),
  entry("triangulate", "Print where an image's signatures are kept", () => import("../commands/triangulate.ts"), {
    hidden: true,
  }),
  entry(
    "trusted-root create",
    "Write a file of everything signatures are verified against",
    () => import("../commands/trusted-root/create.ts"),
  ),
  entry("upload blob", "Store files in a registry", () => import("../commands/upload/blob.ts")),
  entry("upload wasm", "Store a WebAssembly module in a registry", () => import("../commands/upload/wasm.ts")),
  entry("verify", "Verify signatures of container images", () => import("../commands/verify.ts")),
  entry(
    "verify-attestation",
    "Verify attestations of container images",
    () => import("../commands/verify-attestation.ts"),
  ),
  entry("verify-blob", "Verify the signature of a file", () => import("../commands/verify-blob.ts")),
  entry(
    "verify-blob-attestation",
    "Verify an attestation of a file",
    () => import("../commands/verify-blob-attestation.ts"),
  ),
  entry("version", "Print the version", () => import("../commands/version.ts")),
];

/** Other names of commands. */
export const ALIASES: Readonly<Record<string, string>> = {
  generateFigSpec: "generate-fig-spec",
  genFigSpec: "generate-fig-spec",
};
