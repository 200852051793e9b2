import type { Flag, Flags } from "../parser/define.ts";

/** The kind of value of a flag: its placeholder in usage, and what a shell can propose. */
export interface FlagValue {
  /** `file`, for `<file>`. */
  readonly name: string;
  /** `private-key` and `public-key` are key references, which may be files. */
  readonly sort: "text" | "file" | "folder" | "private-key" | "public-key";
  /** Usual file name extensions without the dot; other files are accepted, too. */
  readonly endings?: readonly string[];
}

const file = (...endings: string[]): FlagValue => ({ name: "file", sort: "file", endings });
const text = (name: string): FlagValue => ({ name, sort: "text" });

const CERTIFICATE = file("cert", "crt", "pem", "cer", "der");

/** Values by the flags' keys, which have the same meaning in every command; the first matching row applies. */
const VALUES: readonly [keys: RegExp, value: FlagValue][] = [
  [/^(registry|timestamp)ClientKey$/, file("key", "pem")],
  [/^tlsKey$/, file("key", "pem")],
  [/^(outfile|ctfeKey|rekorKey)$/, file("pub", "pem")],
  [/^(ca(Roots|Intermediates)|(timestampC|c)ertificateChain|(outputC|c)ertificate)$/, CERTIFICATE],
  [/^(registry|timestampClient)(Cacert|ClientCert|Cert)$/, CERTIFICATE],
  [/^(tlsCert|clientCa|caBundle)$/, CERTIFICATE],
  [/^listen$/, text("host:port")],
  [/^tlsService$/, text("namespace/name")],
  [/^gatekeeperProvider$/, text("name")],
  [/^(bundle|attestation|rekorResponse)$/, file("sigstore.json", "bundle", "json")],
  [/^(signature|outputSignature)$/, file("sig")],
  [/^(trustedRoot|signingConfig|baseConfig|predicate|statement|root)$/, file("json")],
  [/^report$/, file("html", "json", "md", "sarif", "xml")],
  [/^summary$/, file("md")],
  [/^dashboard$/, file("html")],
  [/^metrics$/, file("prom")],
  [/^sbom$/, file("json", "xml", "spdx")],
  [/^(trustPolicy|cases)$/, file("yaml", "yml", "json")],
  [/^policy$/, file("cue", "rego")],
  [/^file$/, file("wasm")],
  [/^modulePath$/, file("so", "dylib", "dll")],
  [/^(artifact|files|from|out|output(File|Attestation|Payload)?|payload|sct|tsr|oidcClientSecretFile)$/, file()],
  [/^rfc3161Timestamp(Bundle)?$/, file()],
  [/^config$/, file("json")],
  [/^(dir|state|evidence)$/, { name: "folder", sort: "folder" }],
  [/^identityToken$/, { name: "token", sort: "file", endings: [] }],
  [/^(verifierId|policyUri)$/, text("URI")],
  [/(Url|Uri)$|^(mirror|oidcIssuer|certificateOidcIssuer)$/, text("URL")],
  [/Regexp$/, text("pattern")],
  [/^annotations?$/, text("key=value")],
  [/^platform$/, text("os/arch")],
  [/^(digest|hash|rootChecksum)$/, text("hex")],
  [/(Password|Pin|PIN|Puk|Token|ManagementKey)$|^(password|pin|puk|managementKey|newKey|oldKey)$/, text("secret")],
  [/(Time|^clock)$/, text("time")],
  [/^certificateIdentity$/, text("identity")],
  [
    /(Name|Username|ClientId|Identity|Repository|Ref|Sha|Trigger|Prefix|oidcProvider)$|^(username|slot|email|aud)$/,
    text("name"),
  ],
  [/^(?:fromFormat|format)$/, text("format")],
  [/^to$/, text("repository")],
  [/^kubeconfig$/, file("yaml", "yml", "conf")],
  [/^(context|namespace|tlsSecret)$/, text("name")],
  [/^selector$/, text("label=value")],
  [/^referrer$/, text("digest")],
  [/^olderThan$/, text("duration")],
  [/^(type|predicateType|ct|rekorEntryType)$/, text("type")],
  [/^(digestAlg|signingAlgorithm|signatureDigestAlgorithm)$/, text("algorithm")],
  [/^(rekor|tsa)Config$/, text("ANY|ALL|EXACT:n")],
  [/^fulcioAuthFlow$/, text("flow")],
  [/^kms$/, text("key")],
  [/^fault$/, text("fault")],
  [/^claims$/, text("JSON")],
  [/^why$/, text("reason")],
];

/** Returns the kind of value of a flag, given all flags of its command. */
export function flagValue(key: string, flags: Flags): FlagValue {
  const { choices, kind } = flags[key] as Flag;
  const listed = (choices ?? []).filter((choice) => choice !== "");
  if (kind === "int") return text("number");
  if (kind === "duration") return text("duration");
  if (key === "key") return keyValue(flags);
  if (key === "state" && ("why" in flags || "certificateIdentity" in flags)) return file("json"); // elsewhere a folder
  if (key === "pin" && "from" in flags) return file(); // elsewhere the PIN of a token
  if (kind === "choice" || (listed.length > 0 && listed.length <= 3)) return text(listed.join("|"));
  const value = VALUES.find(([keys]) => keys.test(key))?.[1] ?? text("text");
  const isSpec = kind === "texts" && value.sort === "text" && !key.startsWith("certificate");
  return isSpec ? text("spec") : value; // `url=…,start-time=…`
}

/** Verifying commands take public keys, signing commands private keys; `import-key-pair` takes a key file of any program. */
function keyValue(flags: Flags): FlagValue {
  if ("certificateIdentity" in flags || "artifact" in flags) {
    return { name: "key", sort: "public-key", endings: ["pub", "pem"] };
  }
  return "sk" in flags ? { name: "key", sort: "private-key", endings: ["key"] } : file("key", "pem");
}
