import assert from "node:assert/strict";
import { test } from "node:test";
import { type Form, judgeDocument, type Probe, type Setting } from "../fuzz/judge.ts";
import { IMAGE_COMMANDS, REGISTRY, settingOf } from "../fuzz/targets/commands.ts";
import { bytesOf, childrenOf, type Node, nodeAt, readTree, replaceAt } from "../fuzz/tree.ts";
import { BUNDLE_KINDS, makeWorld, type World } from "../fuzz/world.ts";

/**
 * Replaces each field of each stored form by the same field of another signature: of another
 * artifact by the same signer, and of the same artifact by another signer. Only fields without meaning may verify.
 */

const world = await makeWorld();

/** Returns the places at which two documents of one form differ, with their names; signatures and certificates count as a whole. */
function differing(one: Node, two: Node, path: readonly number[] = [], names: readonly string[] = []): Place[] {
  if (Buffer.compare(bytesOf(one), bytesOf(two)) === 0) return [];
  const here = path.length > 0 ? [{ path, name: names.join(".") }] : [];
  if (one.kind !== two.kind || one.kind === "tlv" || one.kind === "bytes") return here;
  const others = childrenOf(two);
  const below = childrenOf(one).flatMap((child, index) => {
    const other = others[index];
    const name = one.kind === "object" ? one.entries[index]?.[0] : one.kind === "list" ? String(index) : undefined;
    return other ? differing(child, other, [...path, index], name === undefined ? names : [...names, name]) : [];
  });
  return [...here, ...below];
}

interface Place {
  readonly path: readonly number[];
  readonly name: string;
}

/** Fields that are not verified: the hint at the key, and a log index that neither SET nor inclusion proof covers. */
function saysNothing(name: string, document: Uint8Array): boolean {
  if (/publicKey(\.hint)?$/.test(name)) return true;
  if (!/tlogEntries\.0\.logIndex$/.test(name)) return false;
  return !Buffer.from(document).includes("inclusionPromise");
}

function exchanged(one: Node, two: Node, { path }: Place): Uint8Array {
  return bytesOf(replaceAt(one, path, () => [nodeAt(two, path) ?? one]));
}

/** The first document of a name. */
function treeOf({ documents }: World, name: string): Node {
  const document = documents.find((each) => each.name === name) ?? assert.fail(name);
  return readTree(document.bytes);
}

const FORMS: readonly {
  readonly form: Form;
  readonly name: string;
  readonly signers: readonly (readonly [string, string])[];
}[] = [
  ...Object.entries(BUNDLE_KINDS).map(([name, { signer }]) => ({
    form: "bundle" as const,
    name,
    signers: [signer === "key" ? (["K", "M"] as const) : (["alice", "mallory"] as const)],
  })),
  ...(["legacy-bundle", "sig-layer", "att-layer"] as const).map((form) => ({
    form,
    name: form,
    signers: [["alice", "mallory"] as const, ["K", "M"] as const],
  })),
];

let tried = 0;
for (const { form, name, signers } of FORMS) {
  for (const [own, other] of signers) {
    test(`${name} by ${own}: field of another artifact or signer -> refused`, async () => {
      const probes: Probe[] = [
        { artifact: "A", signer: own as Probe["signer"], log: "ours" },
        { artifact: "B", signer: own as Probe["signer"], log: "ours" },
        { artifact: "A", signer: other as Probe["signer"], log: "ours" },
      ];
      const setting: Setting = world.setting;
      const one = treeOf(world, `${name}: A by ${own}`);
      assert.equal(await judgeDocument(form, bytesOf(one), setting, probes), "yes");
      for (const donor of [`${name}: B by ${own}`, `${name}: A by ${other}`]) {
        const two = treeOf(world, donor);
        const places = differing(one, two);
        assert.ok(places.length >= 5, `${places.length} places`);
        for (const place of places) {
          const document = exchanged(one, two, place);
          const outcome = await judgeDocument(form, document, setting, probes);
          tried++;
          assert.ok(outcome !== "yes" || saysNothing(place.name, document), `${place.name} of ${donor}`);
        }
      }
    });
  }
}

/** The command that verifies each part, for a key and for an identity. */
const STORED = [
  { part: "sig", by: { K: 0, alice: 7 } },
  { part: "att", by: { K: 1, alice: 8 } },
  { part: "referrers", by: { K: 0, alice: 7 } },
] as const;

/**
 * Configs are not trusted, and digest and size of a layer are computed when it is served. A bundle contains everything that
 * counts, so nothing in its manifest does.
 */
const isAddress = {
  sig: /config(\.digest|\.size)?$|layers\.0(\.digest|\.size)$/,
  att: /config(\.digest|\.size)?$|layers\.0(\.digest|\.size)$/,
  referrers: /referrers\.0\.(manifest|listed)/,
} as const;

for (const { part, by } of STORED) {
  for (const signer of ["K", "alice"] as const) {
    test(`${part} by ${signer} in a registry: field of another image -> refused`, async () => {
      const command = by[signer];
      assert.match(IMAGE_COMMANDS[command]?.join(" ") ?? "", signer === "K" ? /--key K.pub/ : /alice@/);
      const [one, two] = (["A", "B"] as const).map((artifact) => {
        const found = world.repositories.find((each) => each.artifact === artifact && each.signer === signer);
        return readTree(Buffer.from(JSON.stringify({ [part]: found?.stored[part] })));
      });
      assert.ok(one && two);
      const judge = (document: Uint8Array) =>
        REGISTRY.judge({ form: String(command), document, setting: settingOf(world) });
      assert.equal(await judge(bytesOf(one)), "yes");
      const places = differing(one, two).filter(({ name }) => !name.endsWith("org.opencontainers.image.created"));
      assert.ok(places.length >= 5, `${places.length} places`);
      for (const place of places) {
        tried++;
        const outcome = await judge(exchanged(one, two, place));
        assert.ok(outcome !== "yes" || isAddress[part].test(place.name), `${place.name} of the other image's`);
      }
    });
  }
}

test("the matrix covers many fields", () => assert.ok(tried > 400, `${tried} exchanges`));
