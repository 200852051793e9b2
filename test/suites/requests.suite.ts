import assert from "node:assert/strict";
import { createServer, request } from "node:http";
import { type TestContext, test } from "node:test";
import { COSIGN, folder, must, NO_LOG, OFFLINE, pushImage, registries, TSIGN } from "./support.ts";

/** Largest number of requests to an open registry with the referrers API, for one image with one bundle. */
const LIMITS = { sign: 8, "verify by digest": 4, "verify by tag": 5 };

/** A proxy in front of the registry that counts requests. */
async function counter(context: TestContext, target: string): Promise<{ address: string; take(): string[] }> {
  let seen: string[] = [];
  const server = createServer((incoming, outgoing) => {
    seen.push(`${incoming.method} ${incoming.url}`);
    const [hostname, port] = target.split(":");
    const onwards = request({ hostname, port, method: incoming.method, path: incoming.url, headers: incoming.headers });
    onwards.on("response", (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(onwards);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  return {
    address: `localhost:${port}`,
    take() {
      const taken = seen;
      seen = [];
      return taken;
    },
  };
}

test("sign, verify: few requests", async (context) => {
  const cwd = folder(context);
  const { ref } = await registries(context);
  const proxy = await counter(context, ref);
  await must(TSIGN, ["generate-key-pair"], { cwd });
  for (const [who, program] of [
    ["cosign", COSIGN],
    ["tsign", TSIGN],
  ] as const) {
    const image = await pushImage(proxy.address, `requests/${who}`, cwd);
    const steps = {
      sign: ["sign", "--key", "cosign.key", ...OFFLINE, image],
      "verify by digest": ["verify", "--key", "cosign.pub", NO_LOG, image],
      "verify by tag": ["verify", "--key", "cosign.pub", NO_LOG, image.replace(/@.*/, ":v1")],
    };
    for (const [step, args] of Object.entries(steps)) {
      proxy.take();
      await must(program, args, { cwd });
      const requests = proxy.take();
      console.log(`${who.padEnd(6)} ${step.padEnd(16)} ${requests.length} requests`);
      if (program === COSIGN) continue;
      await context.test(`${step}: at most ${LIMITS[step as keyof typeof LIMITS]}`, () => {
        assert.ok(requests.length <= LIMITS[step as keyof typeof LIMITS], requests.join("\n"));
      });
    }
  }
});
