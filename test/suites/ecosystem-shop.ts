import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { containersImage } from "./ecosystem-kit.ts";
import { folder, must, pushImage, run, TSIGN } from "./support.ts";

/** Why the library refuses. */
export const UNSIGNED = /^refused: A signature was required, but no signature exists$/;
export const OTHER_KEY = /^refused: cryptographic signature verification failed: /;
export const OTHER_NAME = /^refused: Signature for identity "[^"]+" is not accepted$/;
export const OTHER_DIGEST = /^refused: Signature for digest sha256:[0-9a-f]{64} does not match$/;

/** podman's library in its own folder, with the files that it needs to verify images. */
export async function workshop(context: TestContext) {
  const cwd = folder(context);
  const program = await containersImage();
  for (const [name, attachments] of [
    ["look", "true"],
    ["ignore", "false"],
  ] as const) {
    mkdirSync(join(cwd, name));
    writeFileSync(join(cwd, name, "default.yaml"), `default-docker:\n  use-sigstore-attachments: ${attachments}\n`);
  }
  const use = (args: readonly string[], registriesD = "look") =>
    run(program, args, { cwd, env: { CONTAINERS_REGISTRIES_D: join(cwd, registriesD) } });
  /** Writes policy.json with one requirement for the images of every registry. */
  const require = (requirement: object) => {
    const signed = { type: "sigstoreSigned", signedIdentity: { type: "matchRepository" }, ...requirement };
    const policy = { default: [{ type: "reject" }], transports: { docker: { "": [signed] } } };
    writeFileSync(join(cwd, "policy.json"), JSON.stringify(policy));
  };
  const judge = async (requirement: object, image: string, registriesD?: string) => {
    require(requirement);
    const { code, stdout, stderr } = await use(["judge", "policy.json", image], registriesD);
    assert.equal(code, 0, stderr);
    return stdout.trim();
  };
  return {
    cwd,
    use,
    require,
    judge,
    program: (name: string, ...args: readonly string[]) => must(name, args, { cwd }),
    accepts: async (requirement: object, image: string) => assert.equal(await judge(requirement, image), "accepted"),
    refuses: async (requirement: object, image: string, why: RegExp) =>
      assert.match(await judge(requirement, image), why),
    image: (registry: string, name: string) => pushImage(registry, `podman/${name}`, cwd),
  };
}

/** Two keys in the folder, as requirements of a policy. */
export async function makeKeys({ program }: Pick<Awaited<ReturnType<typeof workshop>>, "program">) {
  for (const key of ["a", "b"]) await program(TSIGN, "generate-key-pair", "--output-key-prefix", key);
  return { a: { keyPath: "a.pub" }, b: { keyPath: "b.pub" } };
}

export const tagOf = (image: string) => image.replace(/@.*/, ":v1");
export const repositoryOf = (image: string) => image.replace(/@.*/, "");
/** The tag of an image's signatures in the legacy form. */
export const signaturesOf = (image: string) => image.replace("@sha256:", ":sha256-").concat(".sig");
