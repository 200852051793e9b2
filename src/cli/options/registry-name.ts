import { TsignError } from "../../errors.ts";
import { isHost } from "../../oci/ref.ts";

/**
 * The registry that a command line names, which may be pasted as an address: `registry.example`, `https://registry.example/v2/`.
 *
 * @returns its host; `index.docker.io` for each name of Docker Hub
 * @throws TsignError "input"
 */
export function registryOf(server: string): string {
  const registry = server
    .trim()
    .replace(/^https?:\/\//, "")
    .replace(/\/.*$/, "");
  if (!isHost(registry)) {
    throw new TsignError("input", `"${server}" is not a registry`, {
      hint: "such as registry.example, or localhost:5000",
    });
  }
  return registry === "docker.io" || registry === "registry-1.docker.io" ? "index.docker.io" : registry;
}
