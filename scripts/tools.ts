import { homedir } from "node:os";
import { join } from "node:path";

/** Folder of downloaded and compiled tools: TSIGN_TOOLS, ~/.cache/tsign-tools by default. */
export const TOOLS = process.env["TSIGN_TOOLS"] || join(homedir(), ".cache/tsign-tools");
