import { createHash, sign } from "node:crypto";
import { canonicalJson } from "./logs/canonical.ts";
import type { Keyring, SigningKey } from "./pki/keyring.ts";
import { TEN_YEARS } from "./pki/x509.ts";
import { isoSeconds, unixSeconds } from "./server/clock.ts";
import { answer, Refused, type Service } from "./server/service.ts";

const ROLES = ["root", "targets", "snapshot", "timestamp"] as const;
type Role = (typeof ROLES)[number];

const sha256 = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest("hex");

interface TufKey extends SigningKey {
  readonly id: string;
  readonly written: object;
}

function tufKey(signingKey: SigningKey): TufKey {
  // The raw key in hex, because canonical JSON escapes the line feeds of PEM differently.
  const raw = signingKey.spki.subarray(-32).toString("hex");
  const written = { keytype: "ed25519", scheme: "ed25519", keyval: { public: raw } };
  return { ...signingKey, written, id: sha256(canonicalJson(written)) };
}

function signed(content: object, { key, id }: TufKey): Buffer {
  const sig = sign(null, Buffer.from(canonicalJson(content)), key).toString("hex");
  return Buffer.from(JSON.stringify({ signatures: [{ keyid: id, sig }], signed: content }));
}

/**
 * Creates a TUF repository with consistent snapshots and one key per role (TUF specification 1.0.33 §5, §6.2).
 *
 * @param options.latest time of the metadata; its seconds since 1970 are the version, which must grow over restarts
 * @returns the service and `root.json`
 */
export async function createTuf(options: {
  keyring: Keyring;
  targets: Readonly<Record<string, string>>;
  /** Start of the root's validity, the same over restarts. */
  start: Date;
  latest: Date;
}): Promise<{ service: Service; root: Buffer }> {
  const { keyring, latest } = options;
  const version = unixSeconds(latest);
  const keys = Object.fromEntries(
    await Promise.all(ROLES.map(async (role) => [role, tufKey(await keyring.key(`tuf-${role}`, "ed25519"))])),
  ) as Record<Role, TufKey>;
  const head = (role: Role, at: number, from: Date) => {
    const expires = isoSeconds(new Date(from.getTime() + TEN_YEARS));
    return { _type: role, spec_version: "1.0.31", version: at, expires };
  };
  const root = signed(
    {
      ...head("root", 1, options.start),
      consistent_snapshot: true,
      keys: Object.fromEntries(ROLES.map((role) => [keys[role].id, keys[role].written])),
      roles: Object.fromEntries(ROLES.map((role) => [role, { keyids: [keys[role].id], threshold: 1 }])),
    },
    keys.root,
  );
  const files = new Map<string, Buffer>([
    ["root.json", root],
    ["1.root.json", root],
  ]);
  const described = (bytes: Buffer) => ({ length: bytes.length, hashes: { sha256: sha256(bytes) } });
  const targets: Record<string, object> = {};
  for (const [name, content] of Object.entries(options.targets)) {
    const bytes = Buffer.from(content);
    targets[name] = described(bytes);
    files.set(`targets/${sha256(bytes)}.${name}`, bytes);
  }
  const targetsBytes = signed({ ...head("targets", version, latest), targets }, keys.targets);
  files.set(`${version}.targets.json`, targetsBytes);
  const snapshot = signed(
    { ...head("snapshot", version, latest), meta: { "targets.json": { version, ...described(targetsBytes) } } },
    keys.snapshot,
  );
  files.set(`${version}.snapshot.json`, snapshot);
  const meta = { "snapshot.json": { version, ...described(snapshot) } };
  files.set("timestamp.json", signed({ ...head("timestamp", version, latest), meta }, keys.timestamp));
  return { root, service: serve(files) };
}

function serve(files: ReadonlyMap<string, Buffer>): Service {
  return {
    name: "tuf",
    maxBody: 0,
    failure: (status, message) => answer(`${message}\n`, { status, type: "text/plain" }),
    routes: {
      "GET /tuf/*path": ({ params }) => {
        const bytes = files.get(params["path"] ?? "");
        if (!bytes) throw new Refused(404, "file not found");
        return answer(bytes, { type: "application/json" });
      },
    },
  };
}
