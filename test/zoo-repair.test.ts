import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "../src/format/digest.ts";
import { openRegistry } from "../src/oci/open.ts";
import { parseReference } from "../src/oci/ref.ts";
import { fallbackTag } from "../src/oci/tags.ts";
import { NO_LOG, OFFLINE, PLAIN_REGISTRY, temporaryFolder, testIo, testRegistry } from "./support/test-io.ts";
import { PERSONALITIES } from "./zoo/personalities.ts";
import { zooRegistry } from "./zoo/registry.ts";
import { exhibits, tsign } from "./zoo/run.ts";

const INDEX = "application/vnd.oci.image.index.v1+json";
const KEY = ["--key", "zoo.pub", NO_LOG];

/** Registries without the referrers API, without deletion, with incomplete or late lists; and what prune and repair must do there. */
const VISITED: Readonly<Record<string, { prune: "right" | "refused"; repair: "right" | "refused" }>> = {
  plain: { prune: "right", repair: "right" },
  "plain-no-api": { prune: "right", repair: "right" },
  "listing-307-page": { prune: "right", repair: "right" },
  "listing-500": { prune: "refused", repair: "refused" },
  "listing-always-empty": { prune: "right", repair: "right" },
  "listing-pages-empty-first": { prune: "right", repair: "right" },
  "listing-lags": { prune: "right", repair: "right" },
  "entry-unknown-digest": { prune: "refused", repair: "right" },
  "missing-tag-403": { prune: "right", repair: "right" },
  "gitlab-digest-wins": { prune: "refused", repair: "right" },
  "delete-405": { prune: "refused", repair: "right" },
  "delete-404": { prune: "refused", repair: "right" },
  "delete-202": { prune: "refused", repair: "right" },
  "delete-405-no-api": { prune: "right", repair: "right" },
  "delete-by-digest": { prune: "right", repair: "right" },
};

test("zoo: prune and repair -> done or refused; the signature verifies, and the index lists only what exists", async (t) => {
  const cwd = temporaryFolder(t);
  const options = { cwd, docker: cwd };
  const shown = await exhibits(await testRegistry(t), cwd);
  const again = ["sign", "--key", "zoo.key", ...OFFLINE, "-y", shown.bundle];
  assert.equal((await tsign(again, options)).code, 0);
  const digest = parseReference(shown.bundle).digest ?? assert.fail();
  for (const [name, expected] of Object.entries(VISITED)) {
    const personality = PERSONALITIES.find((each) => each.name === name) ?? assert.fail(name);
    await t.test(name, async (t) => {
      const registry = await zooRegistry(t, personality);
      const honest = `${registry.honest}/zoo/app@${digest}`;
      const quirky = `${registry.quirky}/zoo/app@${digest}`;
      const copied = await tsign(["copy", shown.bundle, honest.replace(/@.*/, ":v1")], options);
      assert.equal(copied.code, 0, copied.stderr);
      const store = await openRegistry(testIo({ cwd }), parseReference(honest), PLAIN_REGISTRY);
      const listed = async () => {
        const found: string[] = [];
        for await (const entry of store.referrers(digest)) if ("digest" in entry) found.push(entry.digest);
        return found;
      };
      const verifies = async () => (await tsign(["verify", ...KEY, honest], options)).code === 0;
      assert.equal((await listed()).length, 2);

      const pruned = await tsign(["prune", ...KEY, "--apply", quirky], options);
      assert.equal(pruned.code === 0 ? "right" : "refused", expected.prune, `prune: ${pruned.stdout}${pruned.stderr}`);
      assert.equal((await listed()).length, expected.prune === "right" ? 1 : 2, "prune does what it reports");
      for (const each of await listed()) assert.ok(await store.resolve(each));
      assert.ok(await verifies());

      const tag = fallbackTag(digest);
      const index = await store.manifest(tag);
      const gone = { mediaType: INDEX, size: 2, digest: digestOf(Buffer.from("gone")) };
      const manifests = [...(index?.manifest.manifests ?? []), gone];
      await store.putManifest(Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests })), {
        mediaType: INDEX,
        tag,
      });
      const repaired = await tsign(["repair", "--apply", quirky], options);
      assert.equal(repaired.code === 0 ? "right" : "refused", expected.repair, `repair: ${repaired.stderr}`);
      const after = (await store.manifest(tag))?.manifest.manifests ?? [];
      const stays = expected.repair === "refused" || name === "gitlab-digest-wins"; // where the index cannot be seen
      assert.equal(
        after.some((each) => each.digest === gone.digest),
        stays,
      );
      assert.ok(await verifies());
    });
  }
});
