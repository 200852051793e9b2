import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { TABLE } from "../src/cli/table.ts";
import {
  type Allowance,
  circles,
  crowded,
  forbiddenImports,
  matching,
  notAllowed,
  outOfOrder,
  type Rooms,
  reached,
  roomCircles,
  roomOf,
  tooLong,
  unusedPermissions,
} from "./support/architecture-rules.ts";
import { COMPUTED, readTree } from "./support/import-graph.ts";

// What each rule catches is shown by test/architecture-rules.test.ts.

const all = readTree(join(resolve(import.meta.dirname, ".."), "src"));
const below = (...folders: readonly string[]) =>
  all.filter(({ path }) => folders.some((folder) => path.startsWith(folder)));

/** The rooms with which signatures are read and verified, as far as they are used together. */
const VERIFYING = ["keys", "trust", "evidence", "services", "verify"];

/** Every room (a folder, or a file at the top) with the rooms it may import from, from the bottom up. */
const ROOMS: Rooms = {
  "errors.ts": [],
  "version.ts": [],
  "import-package.ts": [],
  "packages.ts": ["errors.ts", "import-package.ts"],
  format: ["errors.ts"],
  io: ["errors.ts", "format"],
  net: ["errors.ts", "format", "io"],
  oci: ["errors.ts", "packages.ts", "format", "io", "net"],
  sources: ["errors.ts", "format"],
  policy: ["errors.ts", "format", "io"],
  keys: ["errors.ts", "packages.ts", "format", "io", "net"],
  trust: ["errors.ts", "format"],
  evidence: ["errors.ts", "format", "io", "net", "oci", "keys"],
  services: ["errors.ts", "format", "io", "net", "keys", "trust", "evidence"],
  verify: ["errors.ts", "format", "keys", "trust", "evidence"],
  sandbox: ["errors.ts", "format", "io", "net", "oci"],
  sign: ["errors.ts", "format", "io", "net", "oci", ...VERIFYING],
  images: ["errors.ts", "format", "io", "net", "oci", "trust", "evidence", "services", "verify"],
  "trust-policy": ["errors.ts", "format", "io", "oci", "sources", "policy", ...VERIFYING, "sign", "images"],
  monitor: ["errors.ts", "format", "io", "net", "oci", ...VERIFYING, "images"],
  admission: ["errors.ts", "format", "io", "oci", "sources", "evidence", "services", "images", "trust-policy"],
  lib: ["errors.ts", "format", "io", "net", "oci", ...VERIFYING, "sandbox", "sign", "images"],
  cli: [
    "errors.ts",
    "format",
    "io",
    "net",
    "oci",
    "sources",
    "policy",
    ...VERIFYING,
    "sandbox",
    "sign",
    "images",
    "trust-policy",
    "monitor",
  ],
  commands: [
    "errors.ts",
    "version.ts",
    "format",
    "io",
    "net",
    "oci",
    "sources",
    ...VERIFYING,
    "sandbox",
    "sign",
    "images",
    "trust-policy",
    "monitor",
    "admission",
    "cli",
  ],
  "policy-commands.ts": ["commands"],
  "commands.ts": ["cli", "commands", "policy-commands.ts"],
  "main.ts": ["errors.ts", "format", "io", "cli", "commands.ts"],
};

/** The only modules that use process, files and network. bin/ and tests pass them to the program. */
const SYSTEM = below("io/").filter(
  ({ path }) => !["io/io.ts", "io/policy-engine.ts", "io/prompt.ts", "io/serving.ts", "io/stdin.ts"].includes(path),
);
const inside = all.filter((source) => !SYSTEM.includes(source));

test("a module imports only from the rooms that its room may use", () => {
  assert.deepEqual(outOfOrder(ROOMS), []);
  assert.deepEqual(forbiddenImports(all, ROOMS), []);
  assert.deepEqual(unusedPermissions(all, ROOMS), [], "nothing needs these: take them out of the list");
});

test("rooms and files have no import cycles, dynamic imports and types included", () => {
  assert.deepEqual(roomCircles(all), []);
  assert.deepEqual(circles(all), []);
});

test("a command imports no other command; a .run.ts file imports only its own definition", () => {
  const wrong = below("commands/").filter(({ path, imports }) =>
    imports.some(({ target }) => roomOf(target) === "commands" && target !== path.replace(/\.run\.ts$/, ".ts")),
  );
  assert.deepEqual(
    wrong.map(({ path }) => path),
    [],
  );
});

/** What definitions of commands import besides flags: names and texts, in files that load nothing else. */
const WORDS = [
  "errors.ts",
  "cli/completion/scripts.ts",
  "cli/options/piv.ts",
  "cli/options/pkcs11.ts",
  "format/json.ts",
  "format/nearest.ts",
  "keys/signing-algorithms.ts",
  "sandbox/server/faults.ts",
  "sandbox/server/names.ts",
  "services/tuf/addresses.ts",
  "sign/predicate-shapes.ts",
  "sign/predicates.ts",
];

test("help and completion load the definition of a command, not its implementation", () => {
  const definitions = below("commands/").filter(({ path }) => !path.endsWith(".run.ts"));
  assert.equal(definitions.length * 2, below("commands/").length);
  const loaded = reached(all, definitions, ["fixed"]).map(({ path }) => path);
  const heavy = loaded.filter((path) => !/^(commands|cli\/flags|cli\/parser)\//.test(path) && !WORDS.includes(path));
  assert.deepEqual(heavy, []);
  assert.deepEqual(
    WORDS.filter((path) => !loaded.includes(path)),
    [],
  );
});

/** Pure packages and globals: they only compute. */
const COMPUTING = {
  packages: ["node:buffer", "node:crypto", "node:path", "node:path/posix", "node:util", "node:zlib"],
  globals: [
    "AbortController",
    "AbortSignal",
    "Array",
    "BigInt",
    "Boolean",
    "Buffer",
    "DataView",
    "Date.parse",
    "Error",
    "JSON",
    "Map",
    "Math.abs",
    "Math.ceil",
    "Math.floor",
    "Math.log2",
    "Math.max",
    "Math.min",
    "Math.round",
    "Number",
    "Object",
    "Promise",
    "RegExp",
    "Set",
    "String",
    "Symbol",
    "TextDecoder",
    "URL",
    "URLSearchParams",
    "Uint32Array",
    "Uint8Array",
    "WeakMap",
    "WeakSet",
    "decodeURIComponent",
    "encodeURIComponent",
    "instanceof Date",
    "new Date(…)",
    "undefined",
  ],
};

/** What a room or one file may use in addition, with the reason. */
const BESIDES: Readonly<Record<string, Partial<Allowance>>> = {
  "version.ts": { globals: ["TSIGN_COMMIT", "TSIGN_DATE", "TSIGN_VERSION"] }, // set by the build
  "import-package.ts": { packages: [COMPUTED] }, // the optional packages of clouds and tokens
  "cli/program.ts": { packages: ["commander"] },
  "net/aws.ts": { packages: ["node:stream"] }, // AWS's library passes bodies as streams
  "net/retry.ts": { globals: ["Math.random"] }, // delays retries at random
  "oci/append.ts": { globals: ["Math.random"] }, // delays writers of one tag at random
  "evidence/find/find.ts": { packages: ["node:timers/promises"] }, // yields to signals
  "io/policy-engine.ts": { globals: ["import.meta"] }, // the engine is installed with the program
  "services/oidc/client.ts": { globals: ["Headers", "Response"] }, // openid-client expects a response in this form
  "admission/": { packages: ["yaml"] },
  "admission/time-limits.ts": { packages: ["node:async_hooks"] }, // the signal of the work that reads it
  "cli/": { packages: ["@sigstore/core", "@sigstore/protobuf-specs"] },
  "evidence/": { packages: ["@sigstore/bundle", "@sigstore/core", "@sigstore/protobuf-specs"] },
  "keys/": { packages: ["@noble/"] },
  "monitor/": { packages: ["@sigstore/bundle", "@sigstore/core", "zod/mini"] }, // its state and configuration come from files
  "oci/": { packages: ["oci-registry-client", "oci-registry-client/", "zod/mini"] },
  "policy/": { packages: ["zod/mini"] },
  "sandbox/": { packages: ["@noble/"] },
  "sign/": { packages: ["@sigstore/core"] }, // of @sigstore/sign only types, nothing is loaded
  "services/": { packages: ["@sigstore/protobuf-specs", "@sigstore/tuf/", "@tufjs/models", "openid-client"] },
  "trust/": { packages: ["@sigstore/core"] },
  "trust-policy/": { packages: ["yaml", "zod/mini"] },
  "verify/": { packages: ["@sigstore/core", "@sigstore/verify", "@sigstore/verify/", "re2js"] },
};

test("only the system modules of io/ use process, files and network; each room uses its own packages", () => {
  const wrong = inside.flatMap((source) => {
    const besides = Object.entries(BESIDES).filter(([place]) =>
      place.endsWith("/") ? source.path.startsWith(place) : source.path === place,
    );
    return notAllowed([source], {
      packages: [...COMPUTING.packages, ...besides.flatMap(([, { packages = [] }]) => packages)],
      globals: [...COMPUTING.globals, ...besides.flatMap(([, { globals = [] }]) => globals)],
    });
  });
  assert.deepEqual(wrong, []);
});

/** Where the library uses the system modules, for what its user passed in. */
const DOORS = ["lib/context.ts", "lib/transport.ts"];

test("system modules are imported by bin/ and the entry points of the library only", () => {
  const system = SYSTEM.map(({ path }) => path);
  const rest = inside.filter(({ path }) => !DOORS.includes(path));
  const wrong = rest.filter(({ imports }) => imports.some(({ target }) => system.includes(target)));
  assert.deepEqual(
    wrong.map(({ path }) => path),
    [],
  );
});

test("only io/own.ts removes files", () => {
  assert.deepEqual(matching(all, /\b(rm|rmdir|unlink|rename)(Sync)?\b|\btruncate(Sync)?\b/), ["io/own.ts"]);
});

/** What verification may use: node:crypto, curve arithmetic, the two libraries of Sigstore, and Go's regular expressions. */
const PURE: Allowance = {
  packages: [
    "node:crypto",
    "node:buffer",
    "@noble/",
    "@sigstore/core",
    "@sigstore/verify",
    "@sigstore/verify/",
    "re2js",
  ],
  globals: COMPUTING.globals.filter((name) => !["AbortController", "AbortSignal", "URLSearchParams"].includes(name)),
};

test("verify is pure, and so is everything it loads", () => {
  const judging = reached(all, below("verify/"));
  assert.deepEqual(notAllowed(judging, PURE), []);
  const rooms = ["errors.ts", "format", "keys", "trust", "evidence", "verify"];
  assert.deepEqual(
    judging.map(({ path }) => path).filter((path) => !rooms.includes(roomOf(path))),
    [],
  );
});

/** What the sandbox shares with the program that it tests, and why that hides no bug. */
const SHARED = [
  "errors.ts", // how the commands of the sandbox fail
  "io/io.ts", // the system it runs on
  "format/json.ts", // parses requests, also cosign's in the suites
  "format/pem.ts", // node:crypto and other programs parse the same blocks
  "format/digest.ts", // node:crypto's hash, in hex
  "format/html.ts", // the layout of its pages
  "format/printable.ts", // protects the terminal
  "net/http.ts", // `sandbox fault` and `sandbox token` call a running sandbox
  "oci/types.ts", // types of the store that `sandbox push` writes through
];

test("the sandbox shares no code with what it tests", () => {
  const own = ["sandbox/", ...SHARED];
  assert.deepEqual(
    notAllowed(below("sandbox/"), {
      files: own,
      packages: [...COMPUTING.packages, "@noble/"],
      globals: COMPUTING.globals,
    }),
    [],
  );
  const used = new Set(below("sandbox/").flatMap(({ imports }) => imports.map(({ target }) => target)));
  assert.deepEqual(
    SHARED.filter((file) => !used.has(file)),
    [],
    "it is shared no longer",
  );
});

/** Packages and modules that take longer to load than a command takes to run. Each is loaded only where it is needed. */
const HEAVY = ["zod", "zod/mini", "oci-registry-client", "openid-client", "re2js", "node:tls", "node:https"];

test("everyday commands load neither schema library, registry library nor TLS before they need them", () => {
  const blobs = ["version", "sign-blob", "verify-blob", "attest-blob", "verify-blob-attestation"];
  const images = ["verify", "verify-attestation", "sign", "attest", "tree", "copy", "save", "load"];
  for (const start of ["main.ts", ...[...blobs, ...images].map((name) => `commands/${name}.`)]) {
    const loaded = reached(all, below(start), ["fixed"]).flatMap(({ imports }) =>
      imports.filter(({ kind }) => kind === "fixed").map(({ target }) => target),
    );
    assert.ok(loaded.length > 0, start);
    for (const heavy of HEAVY) assert.ok(!loaded.includes(heavy), `${start} loads ${heavy}`);
  }
});

test("folders and files stay within their limits", () => {
  assert.deepEqual(crowded(all, { "": 8, "cli/": 15 }), []);
  assert.deepEqual(tooLong(all, 250), []);
});

test("printing code uses verdicts, not evidence or its readers", () => {
  const readers = /^evidence\/(find|bundle\/read|legacy\/read|read-|media-types|statement|kinds)/;
  const wrong = below("cli/print/").filter(({ imports }) => imports.some(({ target }) => readers.test(target)));
  assert.deepEqual(
    wrong.map(({ path }) => path),
    [],
  );
  assert.equal(below("cli/print/verified.ts").length, 1);
  assert.deepEqual(matching(below("cli/print/verified.ts"), /\bEvidence\b|\bas unknown\b|\bas any\b/), []);
});

test("packages that are imported with import() are ES modules: of others, the bundle has only the default export", () => {
  const found = all.flatMap(({ path, text }) => {
    const names = [...text.matchAll(/\{[^}]*\} = await import\("([^".][^"]*)"\)/g)].map(([, name = ""]) => name);
    return names.filter((name) => !name.startsWith("node:")).map((name) => ({ path, name }));
  });
  assert.ok(found.length > 0);
  assert.deepEqual(
    found.filter(({ name }) => {
      const folder = join(import.meta.dirname, "../node_modules", /^(?:@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? "");
      return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).type !== "module";
    }),
    [],
  );
});

test("the class of a verified signature stays inside verify.ts", () => {
  assert.deepEqual(matching(all, /\bclass VerifiedSignature\b|new VerifiedSignature\b/), ["verify/verify.ts"]);
  assert.deepEqual(matching(all, /export[^\n]*class VerifiedSignature/), []);
});

test("text for people is printed by write, one line per call; only documents for programs use stdout.data", () => {
  const documents = [
    "cli/options/output-places.ts",
    "cli/print/verified.ts", // envelopes as they are stored
    "cli/print/monitor.ts", // JSON lines
    "commands/attest-blob.run.ts",
    "commands/attest.run.ts",
    "commands/bundle/create.run.ts",
    "commands/bundle/upgrade.run.ts",
    "commands/completion.run.ts",
    "commands/download/attestation.run.ts",
    "commands/download/sbom.run.ts",
    "commands/download/signature.run.ts",
    "commands/admission/manifests.run.ts",
    "commands/env.run.ts", // secrets on request
    "commands/generate-fig-spec.run.ts",
    "commands/generate.run.ts",
    "commands/policy/export.run.ts",
    "commands/policy/fmt.run.ts",
    "commands/policy/import.run.ts",
    "commands/policy/init.run.ts",
    "commands/public-key.run.ts",
    "commands/sandbox/env.run.ts",
    "commands/sandbox/token.run.ts",
    "commands/sign-blob.run.ts",
    "commands/signing-config/create.run.ts",
    "commands/trusted-root/create.run.ts",
    "commands/version.run.ts",
    "main.ts", // help
  ];
  const users = matching(inside, /stdout\.data\(/).filter((path) => path !== "cli/print/guard.ts");
  assert.deepEqual(users, documents.sort());
  // A line feed before the end of a text.
  assert.deepEqual(matching(inside, /std(?:out|err)\.write\(\s*(?:`[^`]*\\n[^`]+`|"[^"]*\\n[^"]+")/), []);
});

test("every command is named in test/json-answers.test.ts, which runs it with --json", () => {
  const text = readFileSync(join(import.meta.dirname, "json-answers.test.ts"), "utf8");
  const isNamed = (name: string) => text.includes(`"${name}"`) || text.includes(`\n    ${name}: [`);
  const unnamed = TABLE.map(({ name }) => name).filter((name) => !name.startsWith("piv-tool ") && !isNamed(name));
  assert.deepEqual(unnamed, [], "add them to `successes` or `UNTRIED`");
});
