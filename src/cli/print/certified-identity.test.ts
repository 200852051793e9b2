import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { printIdentity, printVerifyCommand } from "./certified-identity.ts";

const WORKFLOW = "https://github.com/acme/widget/.github/workflows/release.yml@refs/heads/main";

function printed(print: (stderr: { write(line: string): void }) => void): string {
  const lines: string[] = [];
  print({ write: (line) => void lines.push(line) });
  return lines.join("");
}

test("printIdentity: a workflow's certificate -> identity, issuer and source", () => {
  const source = new Map([["repository", "acme/widget"]]);
  assert.equal(
    printed((stderr) => printIdentity(stderr, { name: WORKFLOW, issuer: "https://issuer.example", source })),
    `Certificate identity: ${WORKFLOW}\nCertificate issuer: https://issuer.example\nCertificate source: repository acme/widget\n`,
  );
});

test("printVerifyCommand: any values -> a shell reads back the very same words", () => {
  for (const name of [WORKFLOW, "o'hara@example.com", 'a b $(id) `id` "x" \\ * ; & | > < ~ # ! é']) {
    const line = printed((stderr) =>
      printVerifyCommand(
        stderr,
        { name, issuer: "https://issuer.example/a?b=c&d", source: new Map() },
        {
          ...{ words: "verify-blob", options: ["--bundle", "b b.json"], args: ["it's.txt"] },
          flags: { trustedRoot: "my root.json", allowHttpRegistry: true, registryCacert: "", attachmentTagPrefix: "p" },
        },
      ),
    );
    const command = line.replace(/^To verify:\n {4}tsign /, "").trimEnd();
    const words = execFileSync("sh", ["-c", `printf '%s\\n' ${command}`], { encoding: "utf8" })
      .trimEnd()
      .split("\n");
    assert.deepEqual(words, [
      ...["verify-blob", "--certificate-identity", name, "--certificate-oidc-issuer", "https://issuer.example/a?b=c&d"],
      ...["--bundle", "b b.json", "--trusted-root", "my root.json", "--allow-http-registry"],
      ...["--attachment-tag-prefix", "p", "it's.txt"],
    ]);
  }
});

test("printVerifyCommand: a name with control characters -> no command to paste", () => {
  const identity = { name: "me\u001b[2J", issuer: "https://issuer.example", source: new Map() };
  const command = { words: "verify", flags: { trustedRoot: "" }, args: ["app:1"] };
  assert.equal(
    printed((stderr) => printVerifyCommand(stderr, identity, command)),
    "",
  );
});
