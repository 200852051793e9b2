import { type Images, identity, LEGACY, OFFLINE } from "./targets.ts";

/** A command line that both programs run. */
export interface Case {
  readonly name: string;
  readonly rounds: number;
  /** Largest acceptable ratio of CPU times. */
  readonly goal: number;
  /** Largest acceptable peak memory, MiB. */
  readonly memory?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** The arguments. @param run a name for what the run creates, different in each */
  args(run: string): readonly string[] | Promise<readonly string[]>;
}

const KEY = ["--key", "cosign.pub", "--insecure-ignore-tlog"];
const SIGN = ["--key", "cosign.key", ...OFFLINE];

/** Returns all cases. @param size of the large file, for names */
export function prepareCases(images: Images & { issuer: string }, size: string): Case[] {
  const { bundle, legacy, keyless, attested, secure, trustedRoot, signingConfig } = images;
  const who = identity(images.issuer);
  const services = ["--signing-config", signingConfig, "--trusted-root", trustedRoot, "-y"];
  const blob = (file: string) => ["verify-blob", ...KEY, "--bundle", `${file}.json`, file];
  const keylessBlob = ["verify-blob", ...who, "--bundle", "keyless.json", "small"];
  const policy = (file: string) => [
    "verify-attestation",
    ...KEY,
    "--type",
    "https://example.com/check",
    "--policy",
    file,
    attested,
  ];
  const fixed = (name: string, goal: number, args: readonly string[], more: Partial<Case> = {}): Case => ({
    name,
    goal,
    rounds: 15,
    args: () => args,
    ...more,
  });
  const large = { rounds: 3, memory: 80 };
  return [
    fixed("version", 0.4, ["version"], { rounds: 31 }),
    fixed("help", 0.4, ["--help"]),
    fixed("verify --help", 0.6, ["verify", "--help"]),
    fixed("Tab after `verify --cert`", 0.6, ["__complete", "verify", "--cert"]),
    fixed("verify-blob by key", 0.58, blob("small"), { rounds: 31 }),
    fixed("verify-blob keyless, offline", 0.7, [...keylessBlob, "--trusted-root", trustedRoot]),
    fixed("verify-blob keyless, TUF", 0.8, keylessBlob, { env: images.tuf }),
    fixed("sign-blob by key", 0.83, ["sign-blob", ...SIGN, "--bundle", "new.json", "small"], { rounds: 9 }),
    fixed("verify by key, bundle", 0.75, ["verify", ...KEY, bundle]),
    fixed("verify by key, legacy", 0.75, ["verify", ...KEY, legacy]),
    fixed("verify keyless", 0.85, ["verify", ...who, "--trusted-root", trustedRoot, keyless]),
    fixed("verify over https, --registry-cacert", 0.85, [
      "verify",
      ...KEY,
      "--registry-cacert",
      secure.ca,
      secure.image,
    ]),
    fixed("verify over https, SSL_CERT_FILE", 0.85, ["verify", ...KEY, secure.image], {
      env: { SSL_CERT_FILE: secure.ca },
    }),
    fixed("tree", 0.68, ["tree", bundle]),
    {
      ...fixed("sign by key", 0.84, [], { rounds: 9 }),
      args: async (run) => ["sign", ...SIGN, await images.push(`key-${run}`)],
    },
    {
      ...fixed("sign by key, legacy", 0.84, [], { rounds: 9 }),
      args: async (run) => ["sign", ...SIGN, LEGACY, await images.push(`legacy-${run}`)],
    },
    {
      ...fixed("sign keyless", 0.88, []),
      args: async (run) => ["sign", ...services, "--identity-token", images.token(), await images.push(`id-${run}`)],
    },
    fixed("CUE policy", 1, policy("policy.cue"), { rounds: 7 }),
    fixed("Rego policy", 1, policy("policy.rego"), { rounds: 7 }),
    ...transfers(images),
    fixed(`sign-blob, ${size}`, 0.45, ["sign-blob", ...SIGN, "--bundle", "new.json", "large"], large),
    fixed(`verify-blob, ${size}`, 0.45, blob("large"), large),
  ];
}

/** Cases that move an image of 60 MB. */
function transfers({ large }: Images): Case[] {
  if (large === undefined) return [];
  const registry = large.replace(/\/.*/, "");
  const rounds = 7;
  return [
    { name: "save 60 MB", goal: 1.1, rounds, args: (run) => ["save", "--dir", `saved-${run}`, large] },
    {
      name: "load 60 MB",
      goal: 0.8,
      rounds,
      args: (run) => ["load", "--dir", "saved-cosign0", `${registry}/load-${run}:v1`],
    },
    {
      name: "copy 60 MB within a registry",
      goal: 1,
      rounds,
      args: (run) => ["copy", large, `${registry}/copy-${run}:v1`],
    },
  ];
}
