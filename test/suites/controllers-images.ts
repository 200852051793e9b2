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

/** The images that are signed by an identity with Rekor v2 and a timestamp, which only bundles can be, are `rekor2-STATE`. */
export const REKOR2_STATES = ["good", "other", "attested"] as const;

export interface Stage {
  readonly sandbox: Sandbox;
  /** With a.pub, the key of the good signer. */
  readonly cwd: string;
  /** Digests by the images' names. */
  readonly digests: Readonly<Record<string, string>>;
}

/**
 * Starts a sandbox, pushes an image for each combination as `NAME:v1` and signs it with tsign; also `key-legacy-joined` and
 * `key-both-joined`, signed by the right key, with an attestation by the other one as a bundle.
 */
export async function openStage(t: TestContext): Promise<Stage> {
  const sandbox = await startSandbox(t);
  const cwd = await folderWithKeys(t, "a", "b");
  writeFileSync(join(cwd, "predicate.json"), '{"result":"passed"}');
  const predicate = ["--type", "https://example.com/tests", "--predicate", "predicate.json"];
  const keyless = async (who: string, config: string) => {
    const token = await must(TSIGN, ["sandbox", "token", "--email", who], { cwd, env: sandbox });
    const services = ["--signing-config", setting(sandbox, config)];
    const root = ["--trusted-root", setting(sandbox, "TSIGN_SANDBOX_TRUSTED_ROOT")];
    return ["--yes", "--identity-token", token.stdout.trim(), ...services, ...root];
  };
  const flags: Record<By, (who: string) => Promise<readonly string[]>> = {
    key: async (who) => ["--key", `${who}.key`, ...OFFLINE],
    identity: (who) => keyless(who, "TSIGN_SANDBOX_SIGNING_CONFIG_REKOR1"),
  };
  const digests: Record<string, string> = {};
  const push = async (name: string) => {
    writeFileSync(join(cwd, name), name);
    const { stdout } = await must(TSIGN, ["sandbox", "push", `${name}:v1`, name], { cwd, env: sandbox });
    digests[name] = stdout.trim().replace(/^.*@/, "");
    return stdout.trim();
  };
  const attach = async (by: By, form: Form) => {
    for (const state of STATES) {
      if (state === "unsigned") continue;
      const image = await push(nameOf(by, form, state));
      const who = await flags[by](state === "other" ? SIGNERS[by].other : SIGNERS[by].good);
      const command = state === "attested" ? ["attest", ...predicate] : ["sign"];
      await must(TSIGN, [...command, ...who, "--format", form, image], { cwd });
    }
  };
  const attachWithRekor2 = async () => {
    for (const state of REKOR2_STATES) {
      const image = await push(`rekor2-${state}`);
      const who = await keyless(SIGNERS.identity[state === "other" ? "other" : "good"], "TSIGN_SANDBOX_SIGNING_CONFIG");
      const command = state === "attested" ? ["attest", ...predicate] : ["sign"];
      await must(TSIGN, [...command, ...who, image], { cwd });
    }
  };
  await push("unsigned");
  // Someone else with the right to push attaches an attestation to a signed image.
  const attachToSigned = async (form: Form) => {
    const image = await push(`key-${form}-joined`);
    await must(TSIGN, ["sign", ...(await flags.key("a")), "--format", form, image], { cwd });
    await must(TSIGN, ["attest", ...predicate, ...(await flags.key("b")), image], { cwd });
  };
  const all = (Object.keys(SIGNERS) as By[]).flatMap((by) => FORMS.map((form) => attach(by, form)));
  await Promise.all([...all, attachToSigned("legacy"), attachToSigned("both"), attachWithRekor2()]);
  return { sandbox, cwd, digests };
}
