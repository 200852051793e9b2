// The last step of a build: signs the images that were pushed, with a key that stays in its service.
//
//   VAULT_ADDR=https://vault.example node sign-build.ts hashivault://release registry/app@sha256:…
//
// The key is any reference that `tsign sign --key` takes: awskms://, gcpkms://, azurekms://, hashivault://, a file.

import { readFile } from "node:fs/promises";
import { createRegistry, createTransport, loadKey, openSession, signImage } from "tsign";

const [reference = "", ...images] = process.argv.slice(2);
const { env } = process;

const transport = createTransport();
const registry = createRegistry({ transport, env });
const key = await loadKey(reference, { transport, env, password: env.COSIGN_PASSWORD ?? "" });
const session = await openSession({
  key,
  transport,
  // Which logs and timestamp authorities to use. Without a signing config the signature is neither logged nor timestamped.
  ...(env.SIGNING_CONFIG ? { signingConfig: await readFile(env.SIGNING_CONFIG) } : {}),
  onPublish: ({ places }) => void process.stderr.write(`The signatures will be public at ${places.join(" and ")}\n`),
});
for (const image of images) {
  const { reference: signed, stored } = await signImage(image, {
    session,
    registry,
    annotations: { build: "nightly" },
  });
  process.stdout.write(`${signed} signed: ${stored}\n`);
}
