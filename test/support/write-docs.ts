import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { manPages } from "../../src/cli/help/man.ts";
import { type Page, referencePages } from "../../src/cli/help/reference.ts";
import { GLOBAL_FLAGS } from "../../src/cli/parser/global-flags.ts";
import { loadCommand } from "../../src/commands.ts";
import { policySchema } from "../../src/trust-policy/schema.ts";
import { apiPages } from "./api-pages.ts";
import { errorsPage } from "./error-pages.ts";
import { SHARED_SCHEMAS, schemaPages } from "./schema-pages.ts";

const ROOT = resolve(import.meta.dirname, "../..");

interface Difference {
  id: string;
  command: string;
  cosign: string;
  tsign: string;
  reason: string;
}

/** All generated pages by path below docs/. */
export async function generatedPages(): Promise<Page[]> {
  const reference = await referencePages(loadCommand);
  const manual = await manPages(GLOBAL_FLAGS, loadCommand);
  const below = (folder: string, pages: readonly Page[]) =>
    pages.map(({ file, text }) => ({ file: `${folder}/${file}`, text }));
  return [
    ...below("reference", reference),
    ...below("man", manual),
    ...below("api", apiPages()),
    ...below("schema", await schemaPages()),
    differencesPage(),
    errorsPage(),
    { file: "schema/policy-v1.json", text: `${JSON.stringify(policySchema(), undefined, 2)}\n` },
  ];
}

function differencesPage(): Page {
  const list = JSON.parse(readFileSync(join(ROOT, "fixtures/differences.json"), "utf8")) as Difference[];
  const commands = [...new Set(list.map(({ command }) => command))].sort();
  const sections = commands.map((command) => {
    const entries = list.filter((each) => each.command === command);
    const rows = entries.map(({ cosign, tsign, reason }) => `| ${cosign} | ${tsign} | ${reason} |`);
    return `## ${command || "Every command"}\n\n| cosign 3.1.2 | tsign | why |\n|---|---|---|\n${rows.join("\n")}`;
  });
  const title =
    "# Deliberate differences from cosign\n\nGenerated from `fixtures/differences.json` by `npm run docs`. Any other difference is a " +
    "bug.";
  return { file: "differences.md", text: `${[title, ...sections].join("\n\n")}\n` };
}

if (import.meta.main) {
  for (const folder of ["docs/reference", "docs/man", "docs/api"]) {
    rmSync(join(ROOT, folder), { recursive: true, force: true });
    mkdirSync(join(ROOT, folder));
  }
  for (const file of readdirSync(join(ROOT, "docs/schema"))) {
    if (!SHARED_SCHEMAS.includes(file)) rmSync(join(ROOT, "docs/schema", file));
  }
  for (const { file, text } of await generatedPages()) writeFileSync(join(ROOT, "docs", file), text);
}
