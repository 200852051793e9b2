import seeds from "@sigstore/tuf/seeds.json" with { type: "json" };
import { TsignError } from "../../errors.ts";
import { isObject, parseJson } from "../../format/json.ts";
import type { Io } from "../../io/io.ts";
import { DEFAULT_MIRROR, STAGING_MIRROR } from "./addresses.ts";
import { cacheFolder } from "./cache.ts";
import staging from "./staging-root.json" with { type: "json" };

const MAX_REMOTE = 64 * 1024;

/**
 * The roots that tsign carries: the public instance's from @sigstore/tuf; the test instance's, version 13, from
 * sigstore-go 1.2.1 (pkg/tuf/repository/staging_root.json), reduced to nothing but itself.
 */
export function embeddedRoot(mirror: URL): Uint8Array | undefined {
  const address = mirror.href.replace(/\/+$/, "");
  if (address === DEFAULT_MIRROR) return Buffer.from(seeds[DEFAULT_MIRROR]["root.json"], "base64");
  if (address === STAGING_MIRROR) return Buffer.from(JSON.stringify(staging));
  return undefined;
}

/**
 * The mirror in use: $TUF_MIRROR, else the one `initialize` was given, else the public instance.
 *
 * @throws TsignError "input"
 */
export async function currentMirror(io: Pick<Io, "env" | "files">): Promise<URL> {
  const named = io.env["TUF_MIRROR"];
  if (named) return parseMirror(named, "TUF_MIRROR");
  const path = `${cacheFolder(io)}/remote.json`;
  if (!(await io.files.stat(path))) return new URL(DEFAULT_MIRROR);
  const json = parseJson(await io.files.read(path, { maxBytes: MAX_REMOTE }), path);
  const mirror = isObject(json) ? json["mirror"] : undefined;
  return parseMirror(typeof mirror === "string" ? mirror : "", path);
}

/**
 * The address of a mirror: on the network, or, carried to where there is none, a folder.
 *
 * @throws TsignError "input" for what is no http(s) URL and no file URL of this machine
 */
export function parseMirror(text: string, source: string): URL {
  const url = URL.parse(text);
  if (url?.protocol === "https:" || url?.protocol === "http:") return url;
  if (url?.protocol === "file:" && url.host === "" && url.pathname !== "/") return url;
  throw new TsignError("input", `${source} does not name a TUF mirror: "${text}"`, {
    hint: "such as https://tuf.example, or file:///path/to/repository",
  });
}
