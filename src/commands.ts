import type { Command, LoadCommand, Run } from "./cli/parser/define.ts";
import type { CommandName, Entry } from "./cli/table.ts";
import { policyLoaders } from "./policy-commands.ts";

/** How a command is loaded: what it is, for help and completion, and what it does, for running it. */
type Loader<C> = { definition(): Promise<{ default: C }>; run(): Promise<{ run: Run<C> }> };

// biome-ignore lint/suspicious/noExplicitAny: commands have different flags and results, and the table contains all of them
type AnyCommand = Command<any, any>;
type AnyLoader = Loader<AnyCommand>;

/** The two of each belong together: the compiler compares their flags and results. */
function loaders<T extends Record<string, AnyCommand>>(table: { readonly [K in keyof T]: Loader<T[K]> }) {
  return table;
}

/** Where each command of the table stands. */
const LOADERS: Readonly<Record<CommandName, AnyLoader>> = loaders({
  ...policyLoaders,
  "attach attestation": {
    definition: () => import("./commands/attach/attestation.ts"),
    run: () => import("./commands/attach/attestation.run.ts"),
  },
  "attach sbom": {
    definition: () => import("./commands/attach/sbom.ts"),
    run: () => import("./commands/attach/sbom.run.ts"),
  },
  "attach signature": {
    definition: () => import("./commands/attach/signature.ts"),
    run: () => import("./commands/attach/signature.run.ts"),
  },
  attest: { definition: () => import("./commands/attest.ts"), run: () => import("./commands/attest.run.ts") },
  "attest-blob": {
    definition: () => import("./commands/attest-blob.ts"),
    run: () => import("./commands/attest-blob.run.ts"),
  },
  "bundle create": {
    definition: () => import("./commands/bundle/create.ts"),
    run: () => import("./commands/bundle/create.run.ts"),
  },
  "bundle inspect": {
    definition: () => import("./commands/bundle/inspect.ts"),
    run: () => import("./commands/bundle/inspect.run.ts"),
  },
  "bundle upgrade": {
    definition: () => import("./commands/bundle/upgrade.ts"),
    run: () => import("./commands/bundle/upgrade.run.ts"),
  },
  clean: { definition: () => import("./commands/clean.ts"), run: () => import("./commands/clean.run.ts") },
  completion: {
    definition: () => import("./commands/completion.ts"),
    run: () => import("./commands/completion.run.ts"),
  },
  copy: { definition: () => import("./commands/copy.ts"), run: () => import("./commands/copy.run.ts") },
  "debug providers": {
    definition: () => import("./commands/debug/providers.ts"),
    run: () => import("./commands/debug/providers.run.ts"),
  },
  doctor: { definition: () => import("./commands/doctor.ts"), run: () => import("./commands/doctor.run.ts") },
  "dockerfile verify": {
    definition: () => import("./commands/dockerfile/verify.ts"),
    run: () => import("./commands/dockerfile/verify.run.ts"),
  },
  "download attestation": {
    definition: () => import("./commands/download/attestation.ts"),
    run: () => import("./commands/download/attestation.run.ts"),
  },
  "download sbom": {
    definition: () => import("./commands/download/sbom.ts"),
    run: () => import("./commands/download/sbom.run.ts"),
  },
  "download signature": {
    definition: () => import("./commands/download/signature.ts"),
    run: () => import("./commands/download/signature.run.ts"),
  },
  env: { definition: () => import("./commands/env.ts"), run: () => import("./commands/env.run.ts") },
  generate: { definition: () => import("./commands/generate.ts"), run: () => import("./commands/generate.run.ts") },
  "generate-fig-spec": {
    definition: () => import("./commands/generate-fig-spec.ts"),
    run: () => import("./commands/generate-fig-spec.run.ts"),
  },
  "generate-key-pair": {
    definition: () => import("./commands/generate-key-pair.ts"),
    run: () => import("./commands/generate-key-pair.run.ts"),
  },
  identify: { definition: () => import("./commands/identify.ts"), run: () => import("./commands/identify.run.ts") },
  "import-key-pair": {
    definition: () => import("./commands/import-key-pair.ts"),
    run: () => import("./commands/import-key-pair.run.ts"),
  },
  "key change-password": {
    definition: () => import("./commands/key/change-password.ts"),
    run: () => import("./commands/key/change-password.run.ts"),
  },
  "key inspect": {
    definition: () => import("./commands/key/inspect.ts"),
    run: () => import("./commands/key/inspect.run.ts"),
  },
  "key test": { definition: () => import("./commands/key/test.ts"), run: () => import("./commands/key/test.run.ts") },
  initialize: {
    definition: () => import("./commands/initialize.ts"),
    run: () => import("./commands/initialize.run.ts"),
  },
  load: { definition: () => import("./commands/load.ts"), run: () => import("./commands/load.run.ts") },
  "log get": { definition: () => import("./commands/log/get.ts"), run: () => import("./commands/log/get.run.ts") },
  "log search": {
    definition: () => import("./commands/log/search.ts"),
    run: () => import("./commands/log/search.run.ts"),
  },
  "log verify": {
    definition: () => import("./commands/log/verify.ts"),
    run: () => import("./commands/log/verify.run.ts"),
  },
  login: { definition: () => import("./commands/login.ts"), run: () => import("./commands/login.run.ts") },
  logout: { definition: () => import("./commands/logout.ts"), run: () => import("./commands/logout.run.ts") },
  "manifest verify": {
    definition: () => import("./commands/manifest/verify.ts"),
    run: () => import("./commands/manifest/verify.run.ts"),
  },
  monitor: { definition: () => import("./commands/monitor.ts"), run: () => import("./commands/monitor.run.ts") },
  "monitor ack": {
    definition: () => import("./commands/monitor/ack.ts"),
    run: () => import("./commands/monitor/ack.run.ts"),
  },
  "monitor init": {
    definition: () => import("./commands/monitor/init.ts"),
    run: () => import("./commands/monitor/init.run.ts"),
  },
  "piv-tool attestation": {
    definition: () => import("./commands/piv-tool/attestation.ts"),
    run: () => import("./commands/piv-tool/attestation.run.ts"),
  },
  "piv-tool generate-key": {
    definition: () => import("./commands/piv-tool/generate-key.ts"),
    run: () => import("./commands/piv-tool/generate-key.run.ts"),
  },
  "piv-tool reset": {
    definition: () => import("./commands/piv-tool/reset.ts"),
    run: () => import("./commands/piv-tool/reset.run.ts"),
  },
  "piv-tool set-management-key": {
    definition: () => import("./commands/piv-tool/set-management-key.ts"),
    run: () => import("./commands/piv-tool/set-management-key.run.ts"),
  },
  "piv-tool set-pin": {
    definition: () => import("./commands/piv-tool/set-pin.ts"),
    run: () => import("./commands/piv-tool/set-pin.run.ts"),
  },
  "piv-tool set-puk": {
    definition: () => import("./commands/piv-tool/set-puk.ts"),
    run: () => import("./commands/piv-tool/set-puk.run.ts"),
  },
  "piv-tool unblock": {
    definition: () => import("./commands/piv-tool/unblock.ts"),
    run: () => import("./commands/piv-tool/unblock.run.ts"),
  },
  "pkcs11-tool list-keys-uris": {
    definition: () => import("./commands/pkcs11-tool/list-keys-uris.ts"),
    run: () => import("./commands/pkcs11-tool/list-keys-uris.run.ts"),
  },
  "pkcs11-tool list-tokens": {
    definition: () => import("./commands/pkcs11-tool/list-tokens.ts"),
    run: () => import("./commands/pkcs11-tool/list-tokens.run.ts"),
  },
  prune: { definition: () => import("./commands/prune.ts"), run: () => import("./commands/prune.run.ts") },
  "public-key": {
    definition: () => import("./commands/public-key.ts"),
    run: () => import("./commands/public-key.run.ts"),
  },
  repair: { definition: () => import("./commands/repair.ts"), run: () => import("./commands/repair.run.ts") },
  "sandbox down": {
    definition: () => import("./commands/sandbox/down.ts"),
    run: () => import("./commands/sandbox/down.run.ts"),
  },
  "sandbox env": {
    definition: () => import("./commands/sandbox/env.ts"),
    run: () => import("./commands/sandbox/env.run.ts"),
  },
  "sandbox exec": {
    definition: () => import("./commands/sandbox/exec.ts"),
    run: () => import("./commands/sandbox/exec.run.ts"),
  },
  "sandbox fault": {
    definition: () => import("./commands/sandbox/fault.ts"),
    run: () => import("./commands/sandbox/fault.run.ts"),
  },
  "sandbox push": {
    definition: () => import("./commands/sandbox/push.ts"),
    run: () => import("./commands/sandbox/push.run.ts"),
  },
  "sandbox status": {
    definition: () => import("./commands/sandbox/status.ts"),
    run: () => import("./commands/sandbox/status.run.ts"),
  },
  "sandbox token": {
    definition: () => import("./commands/sandbox/token.ts"),
    run: () => import("./commands/sandbox/token.run.ts"),
  },
  "sandbox up": {
    definition: () => import("./commands/sandbox/up.ts"),
    run: () => import("./commands/sandbox/up.run.ts"),
  },
  save: { definition: () => import("./commands/save.ts"), run: () => import("./commands/save.run.ts") },
  sign: { definition: () => import("./commands/sign.ts"), run: () => import("./commands/sign.run.ts") },
  "sign-blob": {
    definition: () => import("./commands/sign-blob.ts"),
    run: () => import("./commands/sign-blob.run.ts"),
  },
  "signing-config create": {
    definition: () => import("./commands/signing-config/create.ts"),
    run: () => import("./commands/signing-config/create.run.ts"),
  },
  tree: { definition: () => import("./commands/tree.ts"), run: () => import("./commands/tree.run.ts") },
  triangulate: {
    definition: () => import("./commands/triangulate.ts"),
    run: () => import("./commands/triangulate.run.ts"),
  },
  "trusted-root create": {
    definition: () => import("./commands/trusted-root/create.ts"),
    run: () => import("./commands/trusted-root/create.run.ts"),
  },
  "upload blob": {
    definition: () => import("./commands/upload/blob.ts"),
    run: () => import("./commands/upload/blob.run.ts"),
  },
  "upload wasm": {
    definition: () => import("./commands/upload/wasm.ts"),
    run: () => import("./commands/upload/wasm.run.ts"),
  },
  verify: { definition: () => import("./commands/verify.ts"), run: () => import("./commands/verify.run.ts") },
  "verify-attestation": {
    definition: () => import("./commands/verify-attestation.ts"),
    run: () => import("./commands/verify-attestation.run.ts"),
  },
  "verify-blob": {
    definition: () => import("./commands/verify-blob.ts"),
    run: () => import("./commands/verify-blob.run.ts"),
  },
  "verify-blob-attestation": {
    definition: () => import("./commands/verify-blob-attestation.ts"),
    run: () => import("./commands/verify-blob-attestation.run.ts"),
  },
  version: { definition: () => import("./commands/version.ts"), run: () => import("./commands/version.run.ts") },
});

/** Loads a command's definition when the command is asked for, and only then: start-up time depends on it. */
export const loadCommand: LoadCommand = async ({ name }) => (await LOADERS[name].definition()).default;

/** Loads what a command does. */
export const loadRun = async ({ name }: Entry): Promise<Run<Command>> => (await LOADERS[name].run()).run;
