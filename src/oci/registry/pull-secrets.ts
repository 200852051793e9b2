import type { Repository } from "../ref.ts";
import type { DockerAuth, DockerConfig } from "./docker-config.ts";
import { type Credentials, readAuth } from "./keychain.ts";

/** Docker Hub under any of its names. */
const DOCKER_HUB = "index.docker.io";
const HUB_NAMES = new Set([DOCKER_HUB, "docker.io", "registry-1.docker.io"]);

interface Entry {
  readonly key: string;
  readonly auth: DockerAuth;
  /** Labels of the host, with `*` for any characters of a label, and its port. */
  readonly labels: readonly string[];
  readonly port: string;
  /** Parts of the path below which the credentials apply. */
  readonly path: readonly string[];
}

/**
 * The credentials of pull secrets for a repository, by the rules of the kubelet: `host[:port][/path]`, with an optional scheme and
 * `/v1/`, where `*` in the host stands for characters of one label. The longest path decides, then the longest key. Helpers and
 * stores that a secret names are not run.
 *
 * @returns undefined without a matching entry
 * @throws TsignError "input" for a matching entry that cannot be read
 */
export function pullCredentials(
  configs: readonly DockerConfig[],
  repository: Pick<Repository, "registry" | "repository">,
): Credentials | undefined {
  const matching = configs.flatMap(entriesOf).filter((entry) => matches(entry, repository));
  matching.sort((a, b) => b.path.length - a.path.length || b.key.length - a.key.length);
  for (const { key, auth } of matching) {
    const found = readAuth(auth, key);
    if (found) return { ...found, note: "the credentials are those of the pull secrets" };
  }
  return undefined;
}

function entriesOf({ auths }: DockerConfig): Entry[] {
  return Object.entries(auths ?? {}).flatMap(([key, auth]) => {
    const [, address = "", written = ""] = /^(?:https?:\/\/)?([^/]+)(\/.*)?$/.exec(key.toLowerCase()) ?? [];
    if (auth === null || address === "") return [];
    const path = written
      .replace(/^\/v[12](?=\/|$)/, "")
      .split("/")
      .filter(Boolean);
    return [{ key, auth, path, ...splitHost(address) }];
  });
}

function splitHost(address: string): Pick<Entry, "labels" | "port"> {
  const [, host = "", port = ""] = /^(.*?)(?::(\d+))?$/.exec(address) ?? [];
  return { labels: (HUB_NAMES.has(host) ? DOCKER_HUB : host).split("."), port };
}

function matches({ labels, port, path }: Entry, { registry, repository }: Pick<Repository, "registry" | "repository">) {
  const host = splitHost(registry.toLowerCase());
  if (port !== host.port || labels.length !== host.labels.length) return false;
  if (!labels.every((label, index) => matchesLabel(label, host.labels[index] ?? ""))) return false;
  const parts = repository.split("/").filter(Boolean);
  return path.every((part, index) => part === parts[index]);
}

/** Whether a label matches, where each `*` stands for any characters: the first piece begins it, the last ends it. */
function matchesLabel(pattern: string, label: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  const last = rest.pop();
  if (last === undefined) return pattern === label;
  if (!label.startsWith(first) || !label.endsWith(last)) return false;
  let at = first.length;
  for (const piece of rest) {
    const found = label.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return at + last.length <= label.length;
}
