import { type Entry, TABLE } from "../table.ts";

/** A word that commands share; alone it prints their help. */
export interface Group {
  readonly about: string;
  /** Left out of the program's help, still works. */
  readonly hidden?: boolean;
  /** Printed as `Command "x" is deprecated, <text>` when the word stands alone. */
  readonly deprecated?: string;
}

export const GROUPS: Readonly<Record<string, Group>> = {
  attach: {
    about: "Attach what was made elsewhere to an image",
    hidden: true,
    deprecated: "`oras attach` attaches artifacts to images",
  },
  bundle: { about: "Make, convert and look into Sigstore bundles" },
  debug: { about: "Show what tsign finds around it", hidden: true },
  dockerfile: {
    about: "Verify the images of a Dockerfile",
    hidden: true,
    deprecated: "`tsign verify` takes the images one by one",
  },
  download: { about: "Fetch what is attached to an image" },
  key: { about: "Look after keys" },
  manifest: {
    about: "Verify the images of a Kubernetes manifest",
    hidden: true,
    deprecated: "`tsign verify` takes the images one by one",
  },
  "piv-tool": { about: "Look after PIV hardware tokens" },
  "pkcs11-tool": { about: "Look into PKCS#11 tokens" },
  sandbox: { about: "Run a Sigstore and a registry on this machine to learn and test with" },
  "signing-config": { about: "Make files that name the services to sign with" },
  "trusted-root": { about: "Make files of everything signatures are verified against" },
  upload: { about: "Store files in a registry", hidden: true, deprecated: "`oras push` stores files in a registry" },
};

/** Whether help and completion show a command among those below a prefix: none, or the words of its group. */
export function isListed(entry: Entry, prefix: readonly string[]): boolean {
  const [group = ""] = entry.words;
  return !entry.hidden && (prefix.length > 0 || GROUPS[group]?.hidden !== true);
}

/** The program's commands in the order its help shows them. */
export const SECTIONS: readonly { readonly title: string; readonly words: readonly string[] }[] = [
  { title: "Signing commands", words: ["sign", "sign-blob", "attest", "attest-blob"] },
  { title: "Verifying commands", words: ["verify", "verify-attestation", "verify-blob", "verify-blob-attestation"] },
  { title: "Image commands", words: ["tree", "download", "clean", "save", "load", "login", "logout"] },
  {
    title: "Key commands",
    words: ["generate-key-pair", "import-key-pair", "public-key", "key", "pkcs11-tool", "piv-tool"],
  },
  { title: "Trust commands", words: ["initialize", "trusted-root", "signing-config", "bundle"] },
  { title: "Other commands", words: ["sandbox", "env", "completion", "version", "help"] },
];

/** A word that may follow, and what it stands for. */
export interface Word {
  readonly word: string;
  readonly summary: string;
}

/** The commands and groups below a prefix that help and completion show; `help` is among the program's. */
export function commandsBelow(prefix: readonly string[]): Word[] {
  const found = new Map<string, string>();
  for (const entry of TABLE) {
    const { words, summary } = entry;
    const word = words[prefix.length];
    if (word === undefined || !isListed(entry, prefix) || !prefix.every((each, index) => words[index] === each))
      continue;
    found.set(word, words.length > prefix.length + 1 ? (GROUPS[word]?.about ?? "") : summary);
  }
  if (prefix.length === 0) found.set("help", "Print what a command does and its flags");
  return [...found].map(([word, summary]) => ({ word, summary }));
}

/** Commands and groups that help leaves out because they are deprecated, sorted. */
export function deprecatedWords(): string[] {
  const words = TABLE.filter(({ internal }) => !internal).map(({ words: [word = ""] }) => word);
  const listed = new Set(commandsBelow([]).map(({ word }) => word));
  return [...new Set(words)].filter((word) => !listed.has(word) && word !== "debug").sort();
}
