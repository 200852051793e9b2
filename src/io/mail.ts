import { isIP } from "node:net";
import { TsignError } from "../errors.ts";
import type { Mail } from "../format/mail.ts";
import { systemAuthorities } from "./authorities.ts";

/** Milliseconds in which a server must connect, greet, and answer. */
const PATIENCE = 30_000;

/** Io.sendMail. A password is sent over TLS only, or to this machine. */
export async function sendMail({ server, user, password, messageId, ...content }: Mail): Promise<void> {
  const { createTransport } = await import("nodemailer");
  const host = server.hostname.replace(/^\[|\]$/g, "");
  const isSecure = server.protocol === "smtps:";
  const isHere = host === "localhost" || (isIP(host) === 4 && host.startsWith("127.")) || host === "::1";
  const transport = createTransport({
    host,
    port: Number(server.port) || (isSecure ? 465 : 587),
    secure: isSecure,
    requireTLS: !isSecure && !isHere,
    ignoreTLS: isHere,
    tls: { ca: [...systemAuthorities(process.env, process.platform)] },
    ...(user === undefined ? {} : { auth: { user, pass: password ?? "" } }),
    ...{ connectionTimeout: PATIENCE, greetingTimeout: PATIENCE, socketTimeout: PATIENCE },
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  try {
    await transport.sendMail({ ...content, to: [...content.to], messageId: `<${messageId}>` });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TsignError("network", `send email through ${server.host}: ${reason}`, { cause });
  } finally {
    transport.close();
  }
}
