import { isAbsolute, join } from "node:path";
import { TsignError } from "../errors.ts";
import { isObject, textOf } from "../format/json.ts";
import { printable } from "../format/printable.ts";
import type { Io, TlsOptions } from "../io/io.ts";

type Mapping = Readonly<Record<string, unknown>>;

/** A user's credentials from a program. */
export interface ExecCredential {
  /** "" without one. */
  readonly token: string;
  readonly tls: TlsOptions;
}

const VERSIONS = new Set(["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"]);

/**
 * Asks a credential plugin (ExecCredential, client.authentication.k8s.io/v1), which clouds use.
 *
 * @param exec the field `exec` of a user; @param of.file where it is, for errors; @param of.folder its folder
 * @throws TsignError "auth" if it fails, "input" for a field that is wrong
 */
export async function execCredential(
  io: Pick<Io, "env" | "spawn" | "signal">,
  exec: Mapping,
  of: { file: string; folder: string; server: URL; tls: TlsOptions; cluster: Mapping },
): Promise<ExecCredential> {
  const version = textOf(exec["apiVersion"]);
  const named = textOf(exec["command"]);
  if (!VERSIONS.has(version) || named === "") {
    throw new TsignError("input", `read kubeconfig ${of.file}: exec has no command, or an unknown apiVersion`);
  }
  const command = named.includes("/") && !isAbsolute(named) ? join(of.folder, named) : named;
  const args = Array.isArray(exec["args"]) ? exec["args"].map(String) : [];
  const hint = textOf(exec["installHint"]);
  const failed = (reason: string, cause?: unknown) =>
    new TsignError("auth", `run ${printable(command)} for credentials of Kubernetes: ${reason}`, {
      cause,
      ...(hint === "" ? {} : { hint: printable(hint.split("\n", 1)[0] ?? "") }),
    });
  const env = { ...io.env, ...ownEnv(exec), KUBERNETES_EXEC_INFO: JSON.stringify(infoFor(version, exec, of)) };
  let stdout: string;
  try {
    const ended = await io.spawn(command, args, { env, signal: io.signal });
    if (ended.code !== 0) throw failed(`it ended with ${ended.code}: ${printable(ended.stderr.trim().slice(-300))}`);
    ({ stdout } = ended);
  } catch (error) {
    if (error instanceof TsignError && error.code !== "input") throw error;
    throw failed(error instanceof Error ? error.message : String(error), error);
  }
  const status = statusOf(stdout);
  const text = (field: string) => textOf(status?.[field]);
  const [token, cert, key] = [text("token"), text("clientCertificateData"), text("clientKeyData")];
  if (token === "" && (cert === "" || key === "")) throw failed("it printed no credentials");
  return { token, tls: cert !== "" && key !== "" ? { cert, key } : {} };
}

function ownEnv({ env }: Mapping): Record<string, string> {
  const entries = Array.isArray(env) ? env.filter(isObject) : [];
  return Object.fromEntries(entries.map(({ name, value }) => [textOf(name), textOf(value)]));
}

/** What the plugin is told; with the cluster if it asks for that. */
function infoFor(apiVersion: string, exec: Mapping, of: { server: URL; tls: TlsOptions; cluster: Mapping }): object {
  const { ca, serverName, insecure } = of.tls;
  const cluster = {
    server: textOf(of.cluster["server"]) || of.server.href,
    ...(ca === undefined ? {} : { "certificate-authority-data": Buffer.from(ca, "latin1").toString("base64") }),
    ...(serverName === undefined ? {} : { "tls-server-name": serverName }),
    ...(insecure === true ? { "insecure-skip-tls-verify": true } : {}),
    config: null,
  };
  const spec = { interactive: false, ...(exec["provideClusterInfo"] === true ? { cluster } : {}) };
  return { apiVersion, kind: "ExecCredential", spec };
}

/** `status` of the ExecCredential; its text is a secret, so nothing of it is quoted. */
function statusOf(text: string): Mapping | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value) && value["kind"] === "ExecCredential" && isObject(value["status"])) return value["status"];
  } catch {
    // Reported as a program that printed no credentials.
  }
  return undefined;
}
