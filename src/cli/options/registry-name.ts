import { TsignError } from "../../errors.ts";
import { isHost } from "../../oci/ref.ts";

/**
 * Returns the registry of an argument, which may be a URL: `registry.example`, `https://registry.example/v2/`.
 *
 * @returns the host; `index.docker.io` for every name of Docker Hub
 * @throws TsignError "input"
 */
export function registryOf(server: string): string {
  const registry = server
    .trim()
    .replace(/^https?:\/\//, "")
    .replace(/\/.*$/, "");
  if (!isHost(registry)) {
    throw new TsignError("input", `"${server}" is not a registry`, {
      hint: "pass a host, such as registry.example or localhost:5000",
    });
  }
  return registry === "docker.io" || registry === "registry-1.docker.io" ? "index.docker.io" : registry;
}
