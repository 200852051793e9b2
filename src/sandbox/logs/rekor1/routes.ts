import { createHash } from "node:crypto";
import { writePem } from "../../../format/pem.ts";
import type { ServerResponse } from "../../../io/io.ts";
import { verifierOf } from "../../pki/signature.ts";
import type { FaultSwitches } from "../../server/faults.ts";
import {
  answer,
  bytesOf,
  type Call,
  json,
  jsonOf,
  listAt,
  Refused,
  type Service,
  textAt,
  valueAt,
} from "../../server/service.ts";
import { otherBody } from "../journal.ts";
import { leafHash } from "../merkle.ts";
import { canonicalEntry } from "./canonical.ts";
import { type Rekor1Log, spoilt } from "./log.ts";

const ENTRIES = "/api/v1/log/entries";
/** Most entries of one retrieval (Rekor's openapi.yaml). */
const MAX_RETRIEVED = 10;

/** Creates Rekor's API version 1 (Rekor's openapi.yaml). */
export function createRekor1(log: Rekor1Log): Service {
  const found = (call: Call, index: number | undefined): ServerResponse => {
    const entry = index === undefined ? undefined : entryAt(log, index, call.faults);
    if (index === undefined || !entry) throw new Refused(404, "entry not found");
    return json({ [log.uuid(index)]: entry });
  };
  return {
    name: "rekor1",
    maxBody: 32 * 1024 * 1024,
    failure: (status, message) => json({ code: status, message }, { status }),
    routes: {
      [`POST ${ENTRIES}`]: (call) => create(log, call),
      [`GET ${ENTRIES}`]: (call) => found(call, naturalNumber(call.query.get("logIndex"))),
      [`GET ${ENTRIES}/:uuid`]: (call) => found(call, log.indexOf(call.params["uuid"] ?? "")),
      [`POST ${ENTRIES}/retrieve`]: (call) => retrieve(log, call),
      "POST /api/v1/index/retrieve": (call) => search(log, call),
      "GET /api/v1/log": ({ faults }) => {
        const [active, ...inactive] = treesOf(log, faults);
        const size = Number(faults.value("head", "1") ?? active.size);
        const inactiveShards = inactive.map((tree) => description(tree, { size: tree.size, faults }));
        return json({ inactiveShards, ...description(active, { size, faults }) });
      },
      "GET /api/v1/log/publicKey": () => answer(writePem("PUBLIC KEY", log.spki), { type: "application/x-pem-file" }),
      "GET /api/v1/log/proof": ({ query, faults }) => {
        const wanted = query.get("treeID");
        const tree = treesOf(log, faults).find(({ treeId }) => wanted === null || treeId === wanted);
        if (!tree) throw new Refused(400, `no log range found for tree ID ${wanted}`);
        const first = naturalNumber(query.get("firstSize") ?? "1");
        const last = naturalNumber(query.get("lastSize"));
        if (first < 1 || last < first || last > tree.size) throw new Refused(400, "invalid tree sizes");
        return json({ hashes: tree.consistency(first, last), rootHash: tree.root(last) });
      },
    },
  };
}

/** The trees that are shown, the active one first: those of the log, or those of the faults `forked` and `shard`. */
function treesOf(log: Rekor1Log, faults: FaultSwitches): [Rekor1Log, ...Rekor1Log[]] {
  const fork = faults.value("forked", "0");
  const shown = fork === undefined ? log : log.forked(Number(fork));
  const shard = faults.value("shard", "1");
  if (shard === undefined) return [shown];
  const { active, inactive } = shown.sharded(Number(shard));
  return [active, inactive];
}

function description(tree: Rekor1Log, { size, faults }: { size: number; faults: FaultSwitches }): object {
  return {
    rootHash: tree.root(size),
    signedTreeHead: spoilt(faults, tree.checkpoint(size)),
    treeID: tree.treeId,
    treeSize: size,
  };
}

/** The entry with a number through all trees; undefined for one that the log does not have or hides. */
function entryAt(log: Rekor1Log, index: number, faults: FaultSwitches): Record<string, unknown> | undefined {
  const [active, inactive] = treesOf(log, faults);
  const first = inactive?.size ?? 0;
  const entry = index < first ? inactive?.entry(index, faults) : active.entry(index - first, faults);
  const hidden = faults.value("hidden-entry", "0") === String(index);
  const changed = faults.value("changed-entry", "0") === String(index);
  if (!entry || hidden) return undefined;
  const body = Buffer.from(String(entry["body"]), "base64");
  return changed ? { ...entry, body: otherBody(body).toString("base64") } : entry;
}

function naturalNumber(text: string | null): number {
  if (text === null || !/^\d{1,15}$/.test(text)) throw new Refused(422, "expected a number");
  return Number(text);
}

async function create(log: Rekor1Log, call: Call): Promise<ServerResponse> {
  const { index, known } = await log.add(await canonicalEntry(jsonOf(call)));
  const uuid = log.uuid(index);
  const location = `${ENTRIES}/${uuid}`;
  if (known) {
    const message = `an equivalent entry already exists in the transparency log with UUID ${uuid}`;
    throw new Refused(409, message, { location });
  }
  const headers: Record<string, string> = { location };
  if (!call.faults.has("no-etag")) headers["etag"] = uuid;
  return json({ [uuid]: log.entry(index, call.faults) }, { status: 201, headers });
}

async function retrieve(log: Rekor1Log, call: Call): Promise<ServerResponse> {
  const body = jsonOf(call);
  const uuids = listAt(body, "entryUUIDs").map(String);
  const indices = listAt(body, "logIndexes").map(Number);
  const entries = listAt(body, "entries");
  const asked = uuids.length + indices.length + entries.length;
  if (asked === 0 || asked > MAX_RETRIEVED)
    throw new Refused(422, `expected 1 to ${MAX_RETRIEVED} entries, found ${asked}`);
  const wanted: (number | undefined)[] = [...uuids.map((uuid) => log.indexOf(uuid)), ...indices];
  for (const proposed of entries)
    wanted.push(log.indexOf(leafHash((await canonicalEntry(proposed)).body).toString("hex")));
  const found = [...new Set(wanted)].flatMap((index) => {
    const entry = index === undefined ? undefined : entryAt(log, index, call.faults);
    return index === undefined || !entry ? [] : [{ [log.uuid(index)]: entry }];
  });
  return json(found);
}

/** Returns the search key of a hash: its algorithm is known by its length (Rekor's openapi.yaml, SearchIndex). */
function hashKey(hash: string): string {
  if (!/^((sha512:)?[0-9a-f]{128}|(sha256:)?[0-9a-f]{64}|(sha1:)?[0-9a-f]{40})$/i.test(hash)) {
    throw new Refused(422, "hash in body should match a digest");
  }
  const [hex = ""] = hash.toLowerCase().split(":").slice(-1);
  return `${{ 40: "sha1", 64: "sha256", 128: "sha512" }[hex.length]}:${hex}`;
}

/** Returns the search key of an address; Rekor's API refuses other names, such as URIs. */
function emailKey(email: string): string {
  if (/^[^\s@:/]+@[^\s@:/]+$/.test(email)) return email.toLowerCase();
  throw new Refused(422, "email in body must be of type email");
}

/** Returns the UUIDs of the entries with a digest, an e-mail address or a key. */
function search(log: Rekor1Log, call: Call): ServerResponse {
  const body = jsonOf(call);
  const keys: string[] = [];
  const hash = valueAt(body, "hash");
  if (typeof hash === "string" && hash !== "") keys.push(hashKey(hash));
  const email = valueAt(body, "email");
  if (typeof email === "string" && email !== "") keys.push(emailKey(email));
  if (valueAt(body, "publicKey") !== undefined) {
    const { pem } = verifierOf(bytesOf(textAt(body, "publicKey.content"), "publicKey.content").toString("latin1"));
    keys.push(createHash("sha256").update(pem).digest("hex"));
  }
  if (keys.length === 0) throw new Refused(400, "missing hash, email or publicKey");
  const every = valueAt(body, "operator") === "and";
  const lists = keys.map((key) => log.search(key));
  const all = [...new Set(lists.flat())];
  const hits = every ? all.filter((index) => lists.every((list) => list.includes(index))) : all;
  return json(hits.map((index) => log.uuid(index)));
}
