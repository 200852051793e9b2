import { followRepository, type Source } from "../../../src/services/tuf/workflow.ts";
import { testIo } from "../../support/test-io.ts";
import { refusal } from "../judge.ts";
import { changes, mutate } from "../mutate.ts";
import { Finding, type Target } from "../target.ts";
import { bytesOf, type Node, readTree } from "../tree.ts";
import type { World } from "../world.ts";

/** The files of the sandbox's TUF repository by role. */
export async function tufFiles({
  sigstore,
}: World): Promise<Record<"root" | "timestamp" | "snapshot" | "targets", Buffer>> {
  const get = async (path: string) => {
    const url = new URL(`/tuf/${path}`, sigstore.at.base);
    const { body } = await sigstore.io.http({ url, method: "GET", headers: {}, signal: testIo().signal });
    const pieces: Uint8Array[] = [];
    for await (const piece of body) pieces.push(piece);
    return Buffer.concat(pieces);
  };
  const timestamp = await get("timestamp.json");
  const { version } = JSON.parse(timestamp.toString()).signed.meta["snapshot.json"];
  const [root, snapshot, targets] = [
    await get("root.json"),
    await get(`${version}.snapshot.json`),
    await get(`${version}.targets.json`),
  ];
  return { root, timestamp, snapshot, targets };
}

interface RepositorySetting {
  /** Base64 of the trusted root. */
  readonly anchor: string;
  /** Base64 of the signed list of targets. */
  readonly targets: string;
}

/** A TUF repository on a malicious mirror, from which only signed files may be accepted. */
const REPOSITORY: Target = {
  name: "tuf-repositories",
  reaches: "yes",
  async inputs(world) {
    const files = await tufFiles(world);
    const tree: Node = {
      kind: "object",
      entries: Object.entries(files).map(
        ([name, bytes]) => [name, { kind: "string", inside: readTree(bytes) }] as const,
      ),
    };
    const setting: RepositorySetting = {
      anchor: files.root.toString("base64"),
      targets: files.targets.toString("base64"),
    };
    return changes(3).map((list) => ({ form: "repository", document: bytesOf(mutate(tree, list, [tree])), setting }));
  },
  async judge({ document, setting }) {
    const { anchor, targets } = setting as RepositorySetting;
    const files = filesIn(document);
    const get = async (name: string) => Buffer.from(files[name] ?? "");
    const source: Source = {
      root: async (version) => (version < 4 && files["root"] !== undefined ? get("root") : undefined),
      timestamp: () => get("timestamp"),
      metadata: (kind) => get(kind),
      target: () => get("target"),
    };
    const known = { timestamp: undefined, snapshot: undefined, targets: undefined };
    try {
      const repository = await followRepository(source, {
        anchor: Buffer.from(anchor, "base64"),
        known,
        now: new Date(),
      });
      const said = JSON.stringify(JSON.parse(Buffer.from(repository.targets.bytes).toString()).signed);
      const signed = JSON.stringify(JSON.parse(Buffer.from(targets, "base64").toString()).signed);
      if (said !== signed) throw new Finding("unsigned targets are accepted");
      return "yes";
    } catch (error) {
      return refusal(error);
    }
  },
};

function filesIn(document: Uint8Array): Record<string, string> {
  try {
    const json: unknown = JSON.parse(Buffer.from(document).toString());
    const entries = Object.entries(json ?? {}).filter(([, value]) => typeof value === "string");
    return Object.fromEntries(entries);
  } catch {
    return {};
  }
}

export const REPOSITORY_TARGETS: readonly Target[] = [REPOSITORY];
