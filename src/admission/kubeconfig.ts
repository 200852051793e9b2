import { dirname, isAbsolute, join } from "node:path";
import { parse } from "yaml";
import { TsignError } from "../errors.ts";
import { isObject, textOf } from "../format/json.ts";
import { printable } from "../format/printable.ts";
import type { Io, TlsOptions } from "../io/io.ts";
import { podAccess } from "../services/kubernetes.ts";
import { execCredential } from "./exec-credential.ts";

/** How the API server of a cluster is reached. */
export interface Connection {
  readonly server: URL;
  /** Value of the header; undefined without a token and a password. */
  readonly authorization: string | undefined;
  readonly tls: TlsOptions;
}

type Mapping = Readonly<Record<string, unknown>>;

/** What the files of KUBECONFIG say together. */
interface Merged {
  readonly clusters: Map<string, Entry>;
  readonly users: Map<string, Entry>;
  readonly contexts: Map<string, Entry>;
  current: string;
}
interface Entry {
  readonly value: Mapping;
  /** Paths in it are relative to this folder. */
  readonly folder: string;
  readonly file: string;
}

const MAX_FILE = { maxBytes: 4 * 1024 * 1024 };
const HINT = "pass --kubeconfig FILE, set KUBECONFIG, or run it in a Pod with a service account";

/**
 * Finds the API server of a cluster and the credentials for it, as kubectl does: the file that is given, else those of KUBECONFIG,
 * else ~/.kube/config, else the service account of the Pod that the program runs in.
 *
 * @param options.file "" for none; @param options.context name of a context; "" for the current one
 * @throws TsignError "input" for files that cannot be used, "unsupported" for fields that this does not support, "auth" without any
 *   configuration, and for a Pod without a token
 */
export async function findCluster(
  io: Pick<Io, "env" | "files" | "spawn" | "signal">,
  { file, context }: { file: string; context: string },
): Promise<Connection> {
  const { KUBECONFIG: listed = "", HOME: home = "", KUBERNETES_SERVICE_HOST: host = "" } = io.env;
  const files = file === "" ? listed.split(":").filter((path) => path !== "") : [file];
  const usual = join(home, ".kube/config");
  if (files.length === 0 && home !== "" && (await io.files.stat(usual))) files.push(usual);
  if (files.length > 0) return connectionOf(io, await readFiles(io, files), { context, files });
  if (host === "") throw new TsignError("auth", "find Kubernetes: no kubeconfig", { hint: HINT });
  const { server, ca, token } = await podAccess(io, HINT);
  return { server, authorization: `Bearer ${await token()}`, tls: { ca } };
}

/** Merges files as kubectl does: of several entries with a name, the first one counts. */
async function readFiles({ files }: Pick<Io, "files">, paths: readonly string[]): Promise<Merged> {
  const merged: Merged = { clusters: new Map(), users: new Map(), contexts: new Map(), current: "" };
  for (const path of paths) {
    const document = parsed(Buffer.from(await files.read(path, MAX_FILE)).toString("utf8"), path);
    for (const [list, kind] of [
      ["clusters", "cluster"],
      ["users", "user"],
      ["contexts", "context"],
    ] as const) {
      const entries = document[list] ?? [];
      if (!Array.isArray(entries)) throw invalid(path, `${list} is not a list`);
      for (const entry of entries) {
        const [name, value] = isObject(entry) ? [entry["name"], entry[kind] ?? {}] : [];
        if (typeof name !== "string" || !isObject(value)) throw invalid(path, `${list} has an invalid entry`);
        if (!merged[list].has(name)) merged[list].set(name, { value, folder: dirname(path), file: path });
      }
    }
    if (merged.current === "") merged.current = textOf(document["current-context"]);
  }
  return merged;
}

/** Parses a file. The error does not quote it, because it contains secrets. */
function parsed(text: string, path: string): Mapping {
  let value: unknown;
  try {
    value = parse(text, { maxAliasCount: 100 });
  } catch (cause) {
    const place = /at line \d+, column \d+/.exec(cause instanceof Error ? cause.message : "")?.[0];
    throw invalid(path, place === undefined ? "not YAML" : `not YAML ${place}`);
  }
  if (isObject(value)) return value;
  throw invalid(path, "not a mapping");
}

async function connectionOf(
  io: Pick<Io, "env" | "files" | "spawn" | "signal">,
  merged: Merged,
  { context, files }: { context: string; files: readonly string[] },
): Promise<Connection> {
  const named = context === "" ? merged.current : context;
  const where = files.join(":");
  const hint = "pass --context NAME, one that `kubectl config get-contexts` lists";
  if (named === "") throw new TsignError("input", `read kubeconfig ${where}: there is no current context`, { hint });
  const { value } =
    merged.contexts.get(named) ?? refuse(where, `there is no context "${printable(named)}"`, "input", hint);
  const find = (kind: "cluster" | "user") => {
    const name = textOf(value[kind]);
    const entries = kind === "cluster" ? merged.clusters : merged.users;
    return entries.get(name) ?? refuse(where, `there is no ${kind} "${printable(name)}"`);
  };
  const cluster = find("cluster");
  const server = URL.parse(textOf(cluster.value["server"]));
  if (server === null || !/^https?:$/.test(server.protocol) || server.username !== "" || server.password !== "") {
    throw invalid(cluster.file, "server is not a URL");
  }
  if (textOf(cluster.value["proxy-url"]) !== "") {
    refuse(cluster.file, "proxy-url is not supported", "unsupported", "set HTTPS_PROXY for the command instead");
  }
  const tls = await clusterTls(io, cluster);
  if (textOf(value["user"]) === "") return { server, authorization: undefined, tls };
  const user = await userOf(io, find("user"), { server, tls, cluster: cluster.value });
  return { server, authorization: user.authorization, tls: { ...tls, ...user.tls } };
}

/** As client-go: who gives a certificate authority expects that it is required. */
async function clusterTls(io: Pick<Io, "files">, cluster: Entry): Promise<TlsOptions> {
  const ca = await pemOf(io, cluster, "certificate-authority");
  const name = textOf(cluster.value["tls-server-name"]);
  if (ca !== undefined && cluster.value["insecure-skip-tls-verify"] === true) {
    const hint = "remove insecure-skip-tls-verify from the cluster";
    refuse(cluster.file, "insecure-skip-tls-verify cannot be used with certificate-authority", "input", hint);
  }
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(name === "" ? {} : { serverName: name }),
    ...(cluster.value["insecure-skip-tls-verify"] === true ? { insecure: true } : {}),
  };
}

async function userOf(
  io: Pick<Io, "env" | "files" | "spawn" | "signal">,
  user: Entry,
  { server, tls, cluster }: { server: URL; tls: TlsOptions; cluster: Mapping },
): Promise<Pick<Connection, "authorization" | "tls">> {
  const { value, file } = user;
  for (const field of ["auth-provider", "as"]) {
    if (value[field] !== undefined)
      refuse(
        file,
        `${field} is not supported`,
        "unsupported",
        "use a user with a token, a certificate or an exec plugin",
      );
  }
  const [cert, key] = [await pemOf(io, user, "client-certificate"), await pemOf(io, user, "client-key")];
  const own = cert !== undefined && key !== undefined ? { cert, key } : {};
  const token = await tokenOf(io, user);
  if (token !== "") return { authorization: `Bearer ${token}`, tls: own };
  const [name, password] = [textOf(value["username"]), textOf(value["password"])];
  if (name !== "") return { authorization: `Basic ${Buffer.from(`${name}:${password}`).toString("base64")}`, tls: own };
  const { exec } = value;
  if (!isObject(exec)) return { authorization: undefined, tls: own };
  const given = await execCredential(io, exec, { file, folder: user.folder, server, tls, cluster });
  return { authorization: given.token === "" ? undefined : `Bearer ${given.token}`, tls: given.tls };
}

async function tokenOf({ files }: Pick<Io, "files">, { value, folder }: Entry): Promise<string> {
  const path = textOf(value["tokenFile"]);
  if (path === "") return textOf(value["token"]);
  const bytes = await files.read(isAbsolute(path) ? path : join(folder, path), MAX_FILE);
  return Buffer.from(bytes).toString("latin1").trim();
}

/** PEM text of a field: in the file itself in base64 (`NAME-data`), which counts first, or in a file of its own. */
async function pemOf({ files }: Pick<Io, "files">, entry: Entry, name: string): Promise<string | undefined> {
  const { value, folder, file } = entry;
  const data = textOf(value[`${name}-data`]);
  if (data !== "") {
    const text = Buffer.from(data, "base64").toString("latin1");
    return text.includes("-----BEGIN ") ? text : refuse(file, `${name}-data is not PEM in base64`);
  }
  const path = textOf(value[name]);
  if (path === "") return undefined;
  return Buffer.from(await files.read(isAbsolute(path) ? path : join(folder, path), MAX_FILE)).toString("latin1");
}

function invalid(path: string, reason: string): TsignError {
  return new TsignError("input", `read kubeconfig ${path}: ${reason}`);
}

function refuse(path: string, reason: string, code: "input" | "unsupported" = "input", hint?: string): never {
  throw new TsignError(code, `read kubeconfig ${path}: ${reason}`, hint === undefined ? {} : { hint });
}
