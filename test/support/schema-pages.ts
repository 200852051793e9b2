import { EFFECTS } from "../../src/cli/effects.ts";
import type { Page } from "../../src/cli/help/reference.ts";
import { TABLE } from "../../src/cli/table.ts";
import { loadCommand } from "../../src/commands.ts";

/** Schemas that are written by hand: what all answers have in common, and the results of verifications. */
export const SHARED_SCHEMAS = ["answer.json", "images.json"];

const DIALECT = "https://json-schema.org/draft/2020-12/schema";

/** The schema of each command with --json, generated from its definition. */
export async function schemaPages(): Promise<Page[]> {
  const pages: Page[] = [];
  for (const entry of TABLE) {
    const { result = EFFECTS } = await loadCommand(entry);
    if (result === "none") continue;
    const file = `${entry.words.join("-")}.json`;
    const names = { $schema: DIALECT, $id: file, title: `What \`tsign ${entry.name} --json\` prints` };
    const answer = {
      $ref: "answer.json",
      properties: { command: { enum: [entry.name, ""] }, result: result.schema },
      unevaluatedProperties: false,
    };
    const failure = { ...answer, properties: { command: { enum: [entry.name, ""] }, ok: { const: false } } };
    const schema = result.own ? { ...names, anyOf: [result.schema, failure] } : { ...names, ...answer };
    pages.push({ file, text: `${JSON.stringify(schema, null, 2)}\n` });
  }
  return pages;
}
