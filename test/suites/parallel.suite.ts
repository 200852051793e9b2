import assert from "node:assert/strict";
import { test } from "node:test";
import { folder, LEGACY, must, NO_LOG, OFFLINE, pushImage, registries, TSIGN } from "./support.ts";

/** Number of signers that sign the same digest at the same time, each with its own key. */
const SIGNERS = 30;

test(`${SIGNERS} parallel signers lose no signature`, { timeout: 600_000 }, async (context) => {
  const cwd = folder(context);
  const servers = await registries(context);
  const keys = Array.from({ length: SIGNERS }, (_, index) => `k${index}`);
  for (const key of keys) await must(TSIGN, ["generate-key-pair", "--output-key-prefix", key], { cwd });
  for (const [registry, address] of Object.entries(servers)) {
    for (const [form, flags] of [
      ["bundle", []],
      ["legacy", [LEGACY]],
    ] as const) {
      await context.test(
        `${form} form, registry ${registry === "ref" ? "with" : "without"} the referrers API`,
        async () => {
          const image = await pushImage(address, `parallel/${form}`, cwd);
          await Promise.all(
            keys.map((key) => must(TSIGN, ["sign", "--key", `${key}.key`, ...OFFLINE, ...flags, image], { cwd })),
          );
          const listed = await must(TSIGN, ["download", "signature", image], { cwd });
          assert.equal(listed.stdout.trim().split("\n").length, SIGNERS);
          for (const key of keys) {
            const verified = await must(TSIGN, ["verify", "--key", `${key}.pub`, NO_LOG, image], { cwd });
            assert.equal(JSON.parse(verified.stdout).length, 1);
          }
        },
      );
    }
  }
});
