import { ERROR_PAGES } from "../../src/cli/help/error-pages.ts";
import type { Page } from "../../src/cli/help/reference.ts";
import { type Message, readMessages } from "./messages.ts";

/** docs/errors.md: every code with its explanation, and the messages that the sources have for it. */
export function errorsPage(): Page {
  const messages = readMessages().filter(({ kind, place }) => kind === "error" && place === "whole");
  const byCode = Map.groupBy(messages, ({ code }) => code);
  const sections = Object.entries(ERROR_PAGES).map(([code, { meaning, causes, remedies, example }]) => {
    const parts = [
      `## ${code}\n\n${meaning}`,
      `Usual causes:\n\n${bullets(causes)}`,
      `What to do:\n\n${bullets(remedies)}`,
      `Example:\n\n\`\`\`\n$ ${example.command}\nError: ${example.error}\n\`\`\``,
      messageList(byCode.get(code) ?? []),
    ];
    return parts.filter((part) => part !== "").join("\n\n");
  });
  return { file: "errors.md", text: `${[HEAD, ...sections].join("\n\n")}\n` };
}

const HEAD =
  "# Errors by code\n\nGenerated from `src/cli/help/error-pages.ts` and the messages in the sources by `npm run docs`.\n\n" +
  "Every error of tsign has a code. `tsign help CODE` prints what is below; the library's `TsignError` has it as `code`; with " +
  "--verbose a command that fails names it. Messages may change, codes do not. `{name}` stands for a value.";

function bullets(lines: readonly string[]): string {
  return lines.map((line) => `- ${line}`).join("\n");
}

function messageList(messages: readonly Message[]): string {
  const texts = [...new Set(messages.map(({ text }) => text))].sort();
  if (texts.length === 0) return "";
  return `<details><summary>Messages: ${texts.length}</summary>\n\n\`\`\`\n${texts.join("\n")}\n\`\`\`\n\n</details>`;
}
