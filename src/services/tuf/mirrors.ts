import seeds from "@sigstore/tuf/seeds.json" with { type: "json" };
import { TsignError } from "../../errors.ts";
import { isObject, parseJson } from "../../format/json.ts";
import type { Io } from "../../io/io.ts";
import { DEFAULT_MIRROR, STAGING_MIRROR } from "./addresses.ts";
import { cacheFolder } from "./cache.ts";
import staging from "./staging-root.json" with { type: "json" };

const MAX_REMOTE = 64 * 1024;

/**
 * Returns the trusted root that is part of tsign: for the public instance that of @sigstore/tuf; for the staging instance
 * version 13 of sigstore-go 1.2.1 (pkg/tuf/repository/staging_root.json); undefined for other mirrors.
 */
export function embeddedRoot(mirror: URL): Uint8Array | undefined {
  const address = mirror.href.replace(/\/+$/, "");
  if (address === DEFAULT_MIRROR) return Buffer.from(seeds[DEFAULT_MIRROR]["root.json"], "base64");
  if (address === STAGING_MIRROR) return Buffer.from(JSON.stringify(staging));
  return undefined;
}

/**
 * Returns the current mirror: $TUF_MIRROR, else the one of `tsign initialize`, else the public instance.
 *
 * @throws TsignError "input" for an invalid address
 */
export async function currentMirror(io: Pick<Io, "env" | "files">): Promise<URL> {
  const configured = io.env["TUF_MIRROR"];
  if (configured) return parseMirror(configured, "TUF_MIRROR");
  const path = `${cacheFolder(io)}/remote.json`;
  if (!(await io.files.stat(path))) return new URL(DEFAULT_MIRROR);
  const json = parseJson(await io.files.read(path, { maxBytes: MAX_REMOTE }), path);
  const mirror = isObject(json) ? json["mirror"] : undefined;
  return parseMirror(typeof mirror === "string" ? mirror : "", path);
}

/**
 * Parses the address of a mirror: an http(s) URL, or a file URL of a folder for use without a network.
 *
 * @param source where the address comes from, for the error
 * @throws TsignError "input" for anything else
 */
export function parseMirror(text: string, source: string): URL {
  const url = URL.parse(text);
  if (url?.protocol === "https:" || url?.protocol === "http:") return url;
  if (url?.protocol === "file:" && url.host === "" && url.pathname !== "/") return url;
  throw new TsignError("input", `${source} is not the URL of a TUF mirror: "${text}"`, {
    hint: "use a URL such as https://tuf.example or file:///path/to/repository",
  });
}
