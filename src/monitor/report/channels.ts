import { TsignError, withSubject } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import { readBlob } from "../../net/input.ts";
import { isLoopback } from "../../net/proxy.ts";
import { stableId } from "../alarm.ts";
import type { MonitorConfig } from "../config.ts";
import { email } from "./email.ts";
import { githubIssues } from "./github.ts";
import type { Channel } from "./report.ts";
import { webhook } from "./webhook.ts";

const GITHUB = "https://api.github.com";

type Reports = NonNullable<MonitorConfig["reports"]>;

/**
 * The channels of a configuration, with their secrets read.
 *
 * @throws TsignError "input" for a secret that cannot be read, an address that is invalid or not encrypted
 */
export async function openChannels(io: Io, reports: Reports = {}): Promise<Channel[]> {
  const channels: Channel[] = [];
  for (const { url: reference, secret } of reports.webhooks ?? []) {
    const text = /^https?:/.test(reference) ? reference : await secretOf(io, reference);
    const url = address(text, ["https:", "http:"], "the URL of a webhook");
    channels.push(webhook(io, { url, secret: await secretOf(io, secret), id: idOf("webhook", text) }));
  }
  for (const { server, user, password, from, to } of reports.email ?? []) {
    channels.push(
      email(io, {
        server: address(server, ["smtps:", "smtp:"], "the mail server"),
        ...(user === undefined ? {} : { user }),
        ...(password === undefined ? {} : { password: await secretOf(io, password) }),
        ...{ from, to, id: idOf("email", server, ...to) },
      }),
    );
  }
  for (const { repository, token, labels = [], api = GITHUB } of reports.github ?? []) {
    const id = idOf("github", api, repository);
    const url = address(api, ["https:", "http:"], "the API of GitHub");
    channels.push(githubIssues(io, { api: url, repository, token: await secretOf(io, token), labels, id }));
  }
  return channels;
}

/** A hash, because addresses may contain secrets. */
function idOf(kind: string, ...facts: readonly string[]): string {
  return `${kind}-${stableId("c", ...facts).slice(2)}`;
}

/** The secret that a reference leads to: a file, or env://NAME; without a line feed at its end. */
async function secretOf(io: Io, reference: string): Promise<string> {
  const secret = Buffer.from(await withSubject("read secret", () => readBlob(io, reference)))
    .toString("utf8")
    .replace(/\r?\n$/, "");
  if (secret !== "") return secret;
  throw new TsignError("input", `read secret ${reference}: it is empty`);
}

/** An address. Without TLS it must be on this machine, because of the secrets; mail servers may change to TLS (STARTTLS). */
function address(text: string, protocols: readonly [string, string], what: string): URL {
  const url = URL.parse(text);
  const [secure] = protocols;
  if (!url || !protocols.includes(url.protocol)) {
    throw new TsignError("input", `read reports: ${what} does not begin with ${secure}//`);
  }
  if (url.protocol === "http:" && !isLoopback(url.hostname)) {
    throw new TsignError("input", `read reports: ${what} is not encrypted: ${url.origin}`, { hint: "use https" });
  }
  return url;
}
