import { readFileSync } from "node:fs";
import { sha256 } from "./archive.ts";
import type { Archive } from "./formulas.ts";

function template(name: string, values: Readonly<Record<string, string>>): string {
  const text = readFileSync(new URL(name, import.meta.url), "utf8");
  return text.replace(/@([A-Z_]+)@/g, (whole, key: string) => values[key] ?? whole);
}

/**
 * Returns install.sh, which contains the digest of every archive, the GitHub Action that runs it, and the GitLab component, which
 * contains the digest of install.sh.
 */
export function installers(
  archives: readonly Archive[],
  { version, baseUrl }: { version: string; baseUrl: string },
): [name: string, content: string][] {
  const digests = archives.map(
    ({ platform, name, content }) => `  ${platform}) archive='${name}' digest=${sha256(content)} ;;`,
  );
  const values = { VERSION: version, BASE_URL: baseUrl };
  const script = template("install.sh", { ...values, DIGESTS: digests.join("\n") });
  return [
    ["install.sh", script],
    ["action.yml", template("action.yml", values)],
    ["gitlab-component.yml", template("gitlab.yml", { ...values, INSTALL_DIGEST: sha256(script) })],
  ];
}
