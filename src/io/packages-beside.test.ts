import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { packageFolders, resolvePackage } from "./packages-beside.ts";

test("packageFolders: beside the executable, its clone, its npm installation, its prefix; nothing else", () => {
  for (const [executable, folders] of [
    ["/home/a/Downloads/tsign", ["/home/a/Downloads/node_modules"]],
    ["/home/a/tsign/dist/tsign", ["/home/a/tsign/dist/node_modules", "/home/a/tsign/node_modules"]],
    ["/usr/local/bin/tsign", ["/usr/local/bin/node_modules", "/usr/local/lib/node_modules"]],
    ["/usr/lib/tsign/tsign", ["/usr/lib/tsign/node_modules", "/usr/lib/node_modules", "/usr/local/lib/node_modules"]],
    ["/opt/lib/tsign/tsign", ["/opt/lib/tsign/node_modules", "/opt/lib/node_modules"]],
    [
      "/opt/lib/node_modules/@tsign/linux-x64/tsign",
      ["/opt/lib/node_modules/@tsign/linux-x64/node_modules", "/opt/lib/node_modules"],
    ],
    [
      "/opt/homebrew/Cellar/tsign/1.0.0/bin/tsign",
      [
        "/opt/homebrew/Cellar/tsign/1.0.0/bin/node_modules",
        "/opt/homebrew/Cellar/tsign/1.0.0/lib/node_modules",
        "/opt/homebrew/lib/node_modules",
      ],
    ],
  ] as const) {
    assert.deepEqual(packageFolders(executable), folders);
  }
});

test("resolvePackage: the first folder with the package, and its own main file", (t) => {
  const root = mkdtempSync(join(tmpdir(), "tsign-packages-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const place of ["first", "second"]) {
    const folder = join(root, place, "node_modules/@scope/one");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "@scope/one", main: "main.cjs" }));
    writeFileSync(join(folder, "main.cjs"), "");
  }
  const folders = ["none", "second", "first"].map((place) => join(root, place, "node_modules"));
  assert.equal(resolvePackage("@scope/one", folders), join(root, "second/node_modules/@scope/one/main.cjs"));
  assert.equal(resolvePackage("@scope/two", folders), undefined);
  mkdirSync(join(root, "above/node_modules/two"), { recursive: true });
  assert.equal(resolvePackage("two", [join(root, "above/below/node_modules")]), undefined, "not from folders above");
});
