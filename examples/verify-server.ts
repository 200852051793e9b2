// Answers whether an image may be deployed: GET /?image=registry/app:v1
//
//   TRUSTED_ROOT=trusted_root.json SIGNER=release@example.com ISSUER=https://accounts.google.com node verify-server.ts

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRegistry, createTransport, createVerifier, TsignError, verifyImage } from "tsign";

const { TRUSTED_ROOT = "trusted_root.json", SIGNER = "", ISSUER = "", PORT = "8080" } = process.env;

const registry = createRegistry({ transport: createTransport(), env: process.env }); // with docker's credentials
const verifier = await createVerifier({ trustedRoot: await readFile(TRUSTED_ROOT) });
const identity = { subject: SIGNER, issuer: ISSUER };

/** 200 for an image that may be deployed, 403 for one that may not, 502 if that is unknown. */
async function decide(image: string): Promise<{ status: number; body: object }> {
  try {
    const { reference, verified } = await verifyImage(image, { verifier, registry, identity });
    // Deploy by the digest: the tag may point elsewhere in a moment.
    return { status: 200, body: { allowed: true, deploy: reference, signer: verified[0].signer } };
  } catch (error) {
    if (!(error instanceof TsignError)) throw error;
    const refused = ["no-signatures", "no-match", "no-match-bundle", "image-not-found"].includes(error.code);
    const { code, check, message } = error;
    return { status: refused ? 403 : 502, body: { allowed: false, code, check, message } };
  }
}

const server = createServer((request, response) => {
  const image = new URL(request.url ?? "/", "http://localhost").searchParams.get("image") ?? "";
  decide(image)
    .catch((error: unknown) => ({ status: 500, body: { allowed: false, message: String(error) } }))
    .then(({ status, body }) => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    });
});
server.listen(Number(PORT), "127.0.0.1", () => {
  const address = server.address();
  process.stdout.write(`http://127.0.0.1:${typeof address === "object" ? address?.port : PORT}\n`);
});
