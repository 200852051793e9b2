import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type Sandbox, setting, startSandbox } from "./faults-kit.ts";
import { folderWithKeys, must, OFFLINE, TSIGN } from "./support.ts";

/** Who may sign, in a key pair or a person, and who may not. */
export const SIGNERS = {
  key: { good: "a", other: "b" },
  identity: { good: "release@example.com", other: "mallory@example.com" },
} as const;
export type By = keyof typeof SIGNERS;

/** What is attached to an image: the names of the images are `BY-FORM-STATE`, and `unsigned`. */
export const FORMS = ["legacy", "bundle", "both"] as const;
export const STATES = ["good", "unsigned", "other", "attested"] as const;
export type Form = (typeof FORMS)[number];
export type State = (typeof STATES)[number];
export const nameOf = (by: By, form: Form, state: State): string =>
  state === "unsigned" ? state : `${by}-${form}-${state}`;

export interface Stage {
  readonly sandbox: Sandbox;
  /** With a.pub, the key of the good signer. */
  readonly cwd: string;
  /** Digests by the images' names. */
  readonly digests: Readonly<Record<string, string>>;
}

/** Starts a sandbox, pushes an image for each combination as `NAME:v1` and signs it with tsign. */
export async function openStage(t: TestContext): Promise<Stage> {
  const sandbox = await startSandbox(t);
  const cwd = await folderWithKeys(t, "a", "b");
  writeFileSync(join(cwd, "predicate.json"), '{"result":"passed"}');
  const predicate = ["--type", "https://example.com/tests", "--predicate", "predicate.json"];
  const flags: Record<By, (who: string) => Promise<readonly string[]>> = {
    key: async (who) => ["--key", `${who}.key`, ...OFFLINE],
    identity: async (who) => {
      const token = await must(TSIGN, ["sandbox", "token", "--email", who], { cwd, env: sandbox });
      const services = ["--signing-config", setting(sandbox, "TSIGN_SANDBOX_SIGNING_CONFIG_REKOR1")];
      const root = ["--trusted-root", setting(sandbox, "TSIGN_SANDBOX_TRUSTED_ROOT")];
      return ["--yes", "--identity-token", token.stdout.trim(), ...services, ...root];
    },
  };
  const digests: Record<string, string> = {};
  for (const by of Object.keys(SIGNERS) as By[]) {
    for (const form of FORMS) {
      for (const state of STATES) {
        const name = nameOf(by, form, state);
        if (digests[name] !== undefined) continue;
        writeFileSync(join(cwd, "content"), name);
        const pushed = await must(TSIGN, ["sandbox", "push", `${name}:v1`, "content"], { cwd, env: sandbox });
        const image = pushed.stdout.trim();
        digests[name] = image.replace(/^.*@/, "");
        if (state === "unsigned") continue;
        const who = await flags[by](state === "other" ? SIGNERS[by].other : SIGNERS[by].good);
        const command = state === "attested" ? ["attest", ...predicate] : ["sign"];
        await must(TSIGN, [...command, ...who, "--format", form, image], { cwd });
      }
    }
  }
  return { sandbox, cwd, digests };
}
