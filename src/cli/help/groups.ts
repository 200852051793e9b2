import { type Entry, TABLE } from "../table.ts";

/** A command with subcommands; without one it prints its help. */
export interface Group {
  readonly about: string;
  /** Omitted from the program's help; it still works. */
  readonly hidden?: boolean;
  /** Printed as `Command "x" is deprecated, <text>` when no subcommand is given. */
  readonly deprecated?: string;
}

export const GROUPS: Readonly<Record<string, Group>> = {
  admission: { about: "Verify the images that Kubernetes is to run" },
  attach: {
    about: "Attach existing artifacts to an image",
    hidden: true,
    deprecated: "use `oras attach` instead",
  },
  bundle: { about: "Create, convert and inspect Sigstore bundles" },
  debug: { about: "Show diagnostic information", hidden: true },
  dockerfile: {
    about: "Verify the base images of a Dockerfile",
    hidden: true,
    deprecated: "use `tsign verify` for each image instead",
  },
  download: { about: "Print the artifacts attached to an image" },
  key: { about: "Manage keys" },
  log: { about: "Find and verify entries of transparency logs" },
  manifest: {
    about: "Verify the images of a Kubernetes manifest",
    hidden: true,
    deprecated: "use `tsign verify` for each image instead",
  },
  "piv-tool": { about: "Manage PIV tokens" },
  policy: { about: "Write, check, test and explain trust policies" },
  "pkcs11-tool": { about: "Inspect PKCS#11 tokens" },
  sandbox: { about: "Run a local Sigstore instance for learning and testing" },
  "signing-config": { about: "Create signing config files" },
  "trusted-root": { about: "Create trusted root files" },
  upload: { about: "Upload files to a registry", hidden: true, deprecated: "use `oras push` instead" },
};

/** Reports whether help and completion show a command below a prefix: no words, or those of its group. */
export function isListed(entry: Entry, prefix: readonly string[]): boolean {
  const [group = ""] = entry.words;
  return !entry.hidden && (prefix.length > 0 || GROUPS[group]?.hidden !== true);
}

/** The program's commands in the order of its help. */
export const SECTIONS: readonly { readonly title: string; readonly words: readonly string[] }[] = [
  { title: "Signing commands", words: ["sign", "sign-blob", "attest", "attest-blob"] },
  {
    title: "Verifying commands",
    words: ["verify", "verify-attestation", "verify-blob", "verify-blob-attestation", "identify"],
  },
  {
    title: "Image commands",
    words: ["tree", "download", "clean", "prune", "repair", "save", "load", "login", "logout"],
  },
  {
    title: "Key commands",
    words: ["generate-key-pair", "import-key-pair", "public-key", "key", "pkcs11-tool", "piv-tool"],
  },
  {
    title: "Trust commands",
    words: ["policy", "admission", "initialize", "trusted-root", "signing-config", "bundle", "log", "monitor"],
  },
  { title: "Other commands", words: ["doctor", "sandbox", "env", "completion", "version", "help"] },
];

/** A command or group below a prefix, with its summary. */
export interface Word {
  readonly word: string;
  readonly summary: string;
}

/** The commands and groups below a prefix that help and completion show. The program's include `help`. */
export function commandsBelow(prefix: readonly string[]): Word[] {
  const found = new Map<string, string>();
  for (const entry of TABLE) {
    const { words, summary } = entry;
    const word = words[prefix.length];
    if (word === undefined || !isListed(entry, prefix) || !prefix.every((each, index) => words[index] === each))
      continue;
    found.set(word, words.length > prefix.length + 1 ? (GROUPS[word]?.about ?? found.get(word) ?? "") : summary);
  }
  if (prefix.length === 0) found.set("help", "Print the help of a command or an error code");
  return [...found].map(([word, summary]) => ({ word, summary }));
}

/** The commands and groups that help lists as deprecated, sorted. */
export function deprecatedWords(): string[] {
  const words = TABLE.filter(({ internal }) => !internal).map(({ words: [word = ""] }) => word);
  const listed = new Set(commandsBelow([]).map(({ word }) => word));
  return [...new Set(words)].filter((word) => !listed.has(word) && word !== "debug").sort();
}
