import { isUtf8 } from "node:buffer";
import type { ManifestOptions } from "../../admission/manifest-parts.ts";
import { manifests } from "../../admission/manifests.ts";
import { readWorkloads } from "../../admission/workload-paths.ts";
import { trustPolicyFile } from "../../cli/flags/trust-policy.ts";
import { requireProvider } from "../../cli/options/serving.ts";
import { readPolicyFile } from "../../cli/options/trust-policy.ts";
import type { Invocation, Run } from "../../cli/parser/define.ts";
import { TsignError } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import { parseReference } from "../../oci/ref.ts";
import { yamlOf } from "../../trust-policy/export/index.ts";
import { filesOf } from "../../trust-policy/files-of.ts";
import { readTrustPolicy } from "../../trust-policy/read.ts";
import type definition from "./manifests.ts";

type ManifestFlags = Invocation<(typeof definition)["flags"]>["flags"];

const POLICY = "tsign.policy.yaml";
/** What a ConfigMap may hold, in bytes, with some room for its metadata. */
const MAX_FILES = 1000 * 1024;
const MAX_PEM = { maxBytes: 1024 * 1024 };
/** Names of namespaces (RFC 1123 labels), of Secrets (RFC 1123 subdomains), and of files in a ConfigMap. */
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const SUBDOMAIN = /^(?=.{1,253}$)[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/;
const FILE_NAME = /^(?!\.\.?$)[A-Za-z0-9._-]{1,253}$/;

export const run: Run<typeof definition> = async (io, { args: [image = ""], flags, answer }) => {
  if (parseReference(image).digest === undefined) {
    io.stderr.write(`WARNING: ${image} is not named by its digest: what it names may change\n`);
  }
  const { namespace, namespaces, replicas, failurePolicy, pullSecrets, clusterPolicies } = flags;
  if (!LABEL.test(namespace)) {
    throw new TsignError("usage", `invalid --namespace: "${namespace}"`, {
      hint: "use lower-case letters, digits and hyphens",
    });
  }
  const tls = await readTls(io, flags);
  const { gatekeeperProvider } = flags;
  if (gatekeeperProvider !== "" && tls.kind !== "self-made") {
    const other = tls.kind === "secret" ? "--tls-secret" : "--cert-manager";
    throw new TsignError("usage", `--gatekeeper-provider and ${other} cannot be used together`);
  }
  requireProvider(gatekeeperProvider, true);
  const files = await readFiles(io, flags);
  const objects = manifests({
    ...{
      image,
      namespace,
      namespaces,
      replicas,
      failurePolicy,
      pullSecrets,
      clusterPolicies,
      gatekeeperProvider,
      env: readEnv(flags),
      tls,
      files,
      policy: POLICY,
      workloads: readWorkloads(flags.workload),
    },
    timeoutSeconds: timeoutOf(flags),
  });
  const result = { manifests: [...objects] };
  answer(result);
  io.stdout.data(yamlOf(objects));
  return result;
};

/** The variables by name, in their order. @throws TsignError "usage" */
function readEnv({ env }: ManifestFlags): Map<string, string> {
  const read = new Map<string, string>();
  for (const text of env) {
    const [, name = "", value = ""] = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(text) ?? [];
    const refuse = (reason: string, hint: string) => {
      throw new TsignError("usage", `invalid --env: ${reason}`, { hint });
    };
    if (name === "") refuse("missing the name of a variable", "pass NAME=VALUE");
    if (name === "HOME") refuse("HOME is a folder of the container", "pass another variable");
    if (read.has(name)) refuse(`${name} is given twice`, "pass it once");
    read.set(name, value);
  }
  return new Map([...read].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function timeoutOf({ webhookTimeout }: ManifestFlags): number {
  const seconds = webhookTimeout / 1000;
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= 30) return seconds;
  throw new TsignError("usage", "invalid --webhook-timeout: Kubernetes waits for whole seconds", {
    hint: "pass 1s to 30s",
  });
}

/** @throws TsignError "usage" and "input" */
async function readTls(io: Pick<Io, "files">, flags: ManifestFlags): Promise<ManifestOptions["tls"]> {
  const { certManager, tlsSecret, caBundle } = flags;
  if (certManager) {
    if (tlsSecret === "" && caBundle === "") return { kind: "cert-manager" };
    const other = tlsSecret === "" ? "--ca-bundle" : "--tls-secret";
    throw new TsignError("usage", `--cert-manager and ${other} cannot be used together`);
  }
  if (tlsSecret === "" && caBundle === "") return { kind: "self-made" };
  if (tlsSecret === "" || caBundle === "") {
    throw new TsignError("usage", `missing ${tlsSecret === "" ? "--tls-secret" : "--ca-bundle"}`, {
      hint: "pass both, or neither: then the service makes its certificate",
    });
  }
  if (!SUBDOMAIN.test(tlsSecret)) throw new TsignError("usage", `invalid --tls-secret: "${tlsSecret}"`);
  const ca = Buffer.from(await io.files.read(caBundle, MAX_PEM)).toString("latin1");
  if (/^-----BEGIN CERTIFICATE-----/m.test(ca) && !ca.includes("PRIVATE KEY")) {
    return { kind: "secret", name: tlsSecret, ca };
  }
  throw new TsignError("input", `read ${caBundle}: not a file of certificates`, {
    hint: "pass the PEM certificates of the authority, without keys",
  });
}

/** The policy and the files that it names. @throws TsignError "input" for a policy that would not find its files in a cluster */
async function readFiles(io: Io, flags: ManifestFlags): Promise<Map<string, string>> {
  const file = trustPolicyFile(io, flags);
  if (file === undefined) {
    throw new TsignError("usage", "missing --trust-policy", { hint: "write a policy with `tsign policy init`" });
  }
  const { content, path } = await readPolicyFile(io, file);
  const files = new Map([[POLICY, textOf(content, path)]]);
  for (const { reference, path: named } of filesOf(await readTrustPolicy(content, path))) {
    if (!FILE_NAME.test(reference) || reference === POLICY) {
      throw new TsignError("input", `read ${path}: "${reference}" is not a file beside the policy`, {
        hint: "copy it beside the policy, or write the key into the policy",
      });
    }
    const text = textOf(await io.files.read(named, { maxBytes: MAX_FILES }), named);
    if (text.includes("PRIVATE KEY")) {
      throw new TsignError("input", `read ${named}: it contains a private key`, { hint: "name the public key" });
    }
    files.set(reference, text);
  }
  const size = [...files.values()].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (size > MAX_FILES) throw new TsignError("limit", `write the policy to a ConfigMap: it has ${size} bytes`);
  return files;
}

function textOf(content: Uint8Array, path: string): string {
  if (isUtf8(content)) return Buffer.from(content).toString();
  throw new TsignError("input", `read ${path}: not valid UTF-8`);
}
