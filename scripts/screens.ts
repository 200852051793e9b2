import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/**
 * Writes docs/screens.md: what a user sees on a terminal of 100 columns, as plain text. Runs in a sandbox of its own.
 * Needs script(1) of util-linux. `npm run screens [PROGRAM [FILE]]`
 */

const ROOT = resolve(import.meta.dirname, "..");
const [program = join(ROOT, "bin/tsign"), output = join(ROOT, "docs/screens.md")] = process.argv.slice(2);
const COLUMNS = 100;
const INSIDE = "SCREENS_INSIDE";

/** Made before the screens: keys, an identity token, images and their signatures. */
const SETUP = `
tsign generate-key-pair
cp cosign.key own.key && cp cosign.pub own.pub && rm cosign.key cosign.pub
tsign generate-key-pair
echo 'hello' > file.txt
echo '{"builder":{"id":"https://builder.example"},"buildType":"https://builder.example/v1"}' > predicate.json
for name in app web unsigned; do tsign sandbox push $name:v1; done
tsign sign --yes --identity-token "$(tsign sandbox token --email alice@example.com)" $REGISTRY/app:v1
tsign sign --yes --key own.key $REGISTRY/app:v1
tsign sign --yes --key own.key $REGISTRY/web:v1
`;

const ALICE = "--certificate-identity alice@example.com --certificate-oidc-issuer $ISSUER";
const BOB = "--certificate-identity bob@example.com --certificate-oidc-issuer $ISSUER";

const SCREENS: readonly (readonly [title: string, line: string])[] = [
  ["Help of the program", "tsign --help"],
  ["Help of a command", "tsign public-key --help"],
  ["Sign with an identity", "tsign sign --yes --identity-token token.jwt $REGISTRY/app:v1"],
  ["Sign with a key", "tsign sign --yes --key own.key $REGISTRY/app:v1"],
  ["Attest", "tsign attest --yes --key own.key --type slsaprovenance --predicate predicate.json $REGISTRY/app:v1"],
  ["Verify by identity", `tsign verify ${ALICE} $REGISTRY/app:v1 > signatures.json`],
  ["Verify with a key: many signatures", "tsign verify --key own.pub $REGISTRY/app:v1 > signatures.json"],
  ["Verify: another identity", `tsign verify ${BOB} $REGISTRY/app:v1`],
  ["Verify: another key", "tsign verify --key cosign.pub $REGISTRY/web:v1"],
  ["Verify: no signature", "tsign verify --key cosign.pub $REGISTRY/unsigned:v1"],
  [
    "Verify several images",
    "tsign verify --key own.pub $REGISTRY/app:v1 $REGISTRY/web:v1 $REGISTRY/unsigned:v1 > signatures.json",
  ],
  ["Verify quietly", "tsign verify --quiet --key own.pub $REGISTRY/web:v1 > signatures.json"],
  ["Tree", "tsign tree --signers $REGISTRY/app:v1"],
  ["Tree: no image", "tsign tree $REGISTRY/absent:v1"],
  ["Sign a file", "tsign sign-blob --yes --key own.key --bundle file.json file.txt"],
  ["Verify a file", "tsign verify-blob --key own.pub --bundle file.json file.txt"],
  ["Verify a file: another key", "tsign verify-blob --key cosign.pub --bundle file.json file.txt"],
  ["Inspect a bundle", "tsign bundle inspect file.json"],
  ["Test a key", "tsign key test own.key"],
  ["Copy", "tsign copy $REGISTRY/app:v1 $REGISTRY/mirror/app:v1"],
  ["Save", "tsign save --dir saved $REGISTRY/app:v1"],
  ["Load", "tsign load --dir saved $REGISTRY/restored:v1"],
  ["Clean", "tsign clean --force $REGISTRY/web:v1"],
  ["Waiting for a service", "tsign sandbox fault 'registry:slow=1700*1'; tsign triangulate $REGISTRY/app:v1"],
  ["A word that is not a command", "tsign sgin"],
  ["A flag that does not exist", "tsign verify --kye own.pub $REGISTRY/app:v1"],
  ["A registry that is down", "tsign tree 127.0.0.1:9/app:v1"],
];

if (process.env[INSIDE] === undefined) inSandbox();
else writeScreens();

function inSandbox(): void {
  const own = [process.execPath, import.meta.filename, program, output];
  const env = { ...process.env, [INSIDE]: "1" };
  process.exitCode =
    spawnSync(join(ROOT, "bin/tsign"), ["sandbox", "exec", "--", ...own], { stdio: "inherit", env }).status ?? 1;
}

function writeScreens(): void {
  const cwd = mkdtempSync(join(tmpdir(), "tsign-screens-"));
  const issuer = new URL(process.env["TUF_MIRROR"] ?? process.env["SIGSTORE_OIDC_ISSUER"] ?? "http://127.0.0.1:1")
    .origin;
  const env = {
    ...process.env,
    COSIGN_PASSWORD: "",
    TERM: "xterm-256color",
    LC_ALL: "C.UTF-8",
    ISSUER: issuer,
    REGISTRY: `localhost:${new URL(issuer).port}`,
    PROGRAM: program,
  };
  const prelude = `tsign() { "$PROGRAM" "$@"; }\n`;
  try {
    const made = spawnSync(
      "bash",
      ["-e", "-c", `${prelude}${SETUP}tsign sandbox token --email alice@example.com > token.jwt`],
      {
        cwd,
        env,
        encoding: "utf8",
      },
    );
    if (made.status !== 0) throw new Error(made.stderr);
    const screens = SCREENS.map(([title, line]) => {
      const typed = `stty cols ${COLUMNS} rows 50\n${prelude}${line}\n`;
      writeFileSync(join(cwd, "line.sh"), typed);
      const { stdout } = spawnSync("script", ["-qec", "bash line.sh", "/dev/null"], { cwd, env, encoding: "utf8" });
      return `## ${title}\n\n\`\`\`text\n$ ${`${line}\n${asText(stdout)}`.trimEnd()}\n\`\`\`\n`;
    });
    const about =
      "What a terminal of 100 columns shows, without colours. Made by `npm run screens`; ports, times and digests differ each time.";
    writeFileSync(output, `# Screens\n\n${about}\n\n${screens.join("\n")}`);
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}

/** The text of a terminal's output: styles and links are left out, status lines are shown where they were drawn. */
function asText(shown: string): string {
  const esc = String.fromCharCode(0x1b);
  const status = new RegExp(`\\r${esc}\\[J`, "g");
  const style = new RegExp(`${esc}(?:\\[[0-9;?]*[A-Za-z]|\\][^${esc}]*${esc}\\\\)`, "g");
  return shown
    .replaceAll("\r\n", "\n")
    .replace(status, "\n")
    .replace(style, "")
    .replace(/\n{3,}/g, "\n\n")
    .replace(/[ \t]+$/gm, "")
    .replace(/^\n+/, "")
    .trimEnd();
}
